import MQTTCore
import NIOCore

/// What of a message travels in MQTT 5.0 properties.
enum PropertyForm {
    private static let extensionPrefix = "x-"

    /// - Parameter correlation: the request's identifier.
    static func properties(
        of request: RPCRequest, _ form: MessageForm, _ correlation: ByteBuffer
    ) throws(MQTTXError) -> Properties {
        // mqttxx 4 can't read a request without any user property, so that one is there even when empty.
        var userProperties = [UserProperty("caller_id", request.callerID)]
        try add(request.extensions, form, to: &userProperties)
        return Properties(
            responseTopic: request.replyTo, correlationData: correlation, userProperties: userProperties)
    }

    /// - Parameter correlation: the request's identifier.
    static func properties(
        of response: RPCResponse, _ form: MessageForm, _ correlation: ByteBuffer
    ) throws(MQTTXError) -> Properties {
        var userProperties: [UserProperty] = []
        try add(response.extensions, form, to: &userProperties)
        return Properties(correlationData: correlation, userProperties: userProperties)
    }

    static func properties(of event: EventMessage, _ form: MessageForm) throws(MQTTXError) -> Properties {
        guard form.hasProperties else { return Properties() }
        var userProperties = [
            UserProperty("type", "event"), UserProperty("event_type", event.eventType),
            UserProperty("timestamp", event.timestamp.description), UserProperty("source", event.source),
        ]
        try add(event.extensions, form, to: &userProperties)
        return Properties.with { $0.userProperties = userProperties }
    }

    /// The correlation data as text; nil when there is none or it is empty.
    static func requestID(in properties: Properties) throws(MQTTXError) -> String? {
        guard let data = properties.correlationData, data.readableBytes > 0 else { return nil }
        let violation = data.withUnsafeReadableBytes { UTF8Check.firstViolation(in: $0) }
        guard violation == nil else { throw MQTTXError(.invalidUTF8, "correlation data is not UTF-8") }
        return String(buffer: data)
    }

    /// Adds the extensions in user properties `x-…` to those of the envelope, over which they win. A value that is JSON is
    /// read as such, any other is text.
    static func addExtensions(in properties: Properties, to extensions: inout JSONObject) {
        properties.forEachUserProperty { name, value in
            guard isExtension(name) else { return }
            let name = String(decoding: name.dropFirst(extensionPrefix.utf8.count), as: UTF8.self)
            let text = String(decoding: value, as: UTF8.self)
            extensions[name] = (try? JSONValue(jsonText: text)) ?? .string(text)
        }
    }

    /// Whether a name begins with ``extensionPrefix``: asked of all properties of all messages, so byte by byte.
    private static func isExtension(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count >= 2 && name[0] == UInt8(ascii: "x") && name[1] == UInt8(ascii: "-")
    }

    /// Extensions as JSON text, so that `"5"` and `5` stay apart. The envelope, where there is one, has them already.
    private static func add(
        _ extensions: JSONObject, _ form: MessageForm, to userProperties: inout [UserProperty]
    ) throws(MQTTXError) {
        guard form == .native else { return }
        for member in extensions {
            userProperties.append(UserProperty(extensionPrefix + member.key, try member.value.jsonText()))
        }
    }
}
