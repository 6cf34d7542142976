public import MQTTCore
public import NIOCore

extension MessageCoder {
    /// An event as payload and properties.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func encode(
        _ event: EventMessage, as form: MessageForm
    ) throws(MQTTXError) -> (payload: ByteBuffer, properties: Properties) {
        let payload = try encode(form.hasEnvelope ? Self.envelope(event) : event.data)
        return (payload, try PropertyForm.properties(of: event, form))
    }

    /// A value that is no `EventMessage`, as payload and properties: an object as it is, anything else as
    /// `{"data": value}`.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func encode(
        rawEvent value: JSONValue, as form: MessageForm
    ) throws(MQTTXError) -> (payload: ByteBuffer, properties: Properties) {
        let object: JSONValue = value.objectValue == nil ? ["data": value] : value
        let properties =
            form.hasProperties
            ? Properties.with { $0.userProperties = [UserProperty("type", "event")] } : Properties()
        return (try encode(object), properties)
    }

    /// The event that a packet holds, in whatever form. Where its halves disagree, the properties win.
    ///
    /// Decodes all of it, so it is for the task that handles the event rather than for the receive path.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/invalidJSON``, ``ErrorCode/invalidUTF8`` or
    ///   ``ErrorCode/decodingFailed`` when the payload is not of the codec. Any value of the codec is an event.
    public func decodeEvent(_ payload: ByteBuffer, _ properties: Properties) throws(MQTTXError) -> IncomingEvent {
        let value = try decode(payload)
        let isMarked = properties.userProperty("type") == "event"
        // A raw object is marked as an event too, but nothing beside it tells an event's type.
        let typeBeside = isMarked ? properties.userProperty("event_type") : nil
        let isStructuredNative = typeBeside != nil
        // The data of a native event may itself have a member `type`; no envelope lacks `event_type`.
        let hasEnvelope =
            value["type"].stringValue == "event"
            && (!isStructuredNative || value.objectValue?["event_type"] != nil)
        let isStructured = hasEnvelope || isStructuredNative
        var event =
            hasEnvelope
            ? Self.event(value.objectValue ?? [:])
            : EventMessage(eventType: "", data: value, timestamp: 0)
        if isMarked {
            if let typeBeside { event.eventType = typeBeside }
            if let source = properties.userProperty("source") { event.source = source }
            if let text = properties.userProperty("timestamp"), let time = Double(text) { event.timestamp = time }
        }
        PropertyForm.addExtensions(in: properties, to: &event.extensions)
        let form: MessageForm = !isMarked ? .envelope : hasEnvelope ? .dual : .native
        return IncomingEvent(event: event, isStructured: isStructured, payload: value, form: form)
    }

    private static func envelope(_ event: EventMessage) -> JSONValue {
        var object: JSONObject = [
            "type": "event", "event_type": .string(event.eventType), "data": event.data,
            "timestamp": .double(event.timestamp), "source": .string(event.source),
        ]
        if !event.extensions.isEmpty { object["x"] = .object(event.extensions) }
        for member in event.unknownMembers { object[member.key] = member.value }
        return .object(object)
    }

    private static func event(_ object: JSONObject) -> EventMessage {
        var event = EventMessage(eventType: "", timestamp: 0)
        for member in object {
            switch member.key {
            case "type": break
            case "event_type": event.eventType = member.value.stringValue ?? ""
            case "data": event.data = member.value
            case "timestamp": event.timestamp = member.value.doubleValue ?? 0
            case "source": event.source = member.value.stringValue ?? ""
            case "x" where member.value.objectValue != nil: event.extensions = member.value.objectValue ?? [:]
            default: event.unknownMembers[member.key] = member.value
            }
        }
        return event
    }
}
