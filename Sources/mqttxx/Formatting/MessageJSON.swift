import MQTTX

/// A message as a JSON object, with mosquitto_sub's names.
struct MessageJSON: Sendable {
    /// Whether it is spread over several lines.
    var isPretty = false
    /// What stands for an empty payload: mosquitto_sub has null.
    var emptyPayload = JSONValue.null
    /// The subscription identifier that the user has asked for. Those on the wire are the client's own.
    var identifier: Int?

    /// The payload as a string; as base64 beside a member that says so where it is no text.
    func text(_ message: MQTTMessage, _ time: WallTime) -> String {
        var object = envelope(message, time)
        if message.payload.readableBytes == 0 {
            object["payload"] = emptyPayload
        } else if let text = message.string {
            object["payload"] = .string(text)
        } else {
            object["payload"] = .binary(Array(message.payload.readableBytesView))
            object["payload-encoding"] = "base64"
        }
        return written(object)
    }

    /// The payload as the JSON that it is; nil if it is none.
    func parsedText(_ message: MQTTMessage, _ time: WallTime) -> String? {
        var object = envelope(message, time)
        if message.payload.readableBytes == 0 {
            object["payload"] = JSONValue.null
        } else {
            guard let value = try? JSONValue(jsonBytes: message.payload) else { return nil }
            object["payload"] = value
        }
        return written(object)
    }

    func subscriptionIdentifier(_ message: MQTTMessage) -> Int? {
        message.properties.subscriptionIdentifiers.isEmpty ? nil : identifier
    }

    private func envelope(_ message: MQTTMessage, _ time: WallTime) -> JSONObject {
        var object: JSONObject = [
            "tst": .string(time.iso8601Microseconds),
            "topic": .string(message.topic),
            "qos": .int(Int64(message.qos.rawValue)),
            "retain": .int(message.retain ? 1 : 0),
            "payloadlen": .int(Int64(message.payload.readableBytes)),
        ]
        if let id = message.packetID { object["mid"] = .int(Int64(id)) }
        let properties = properties(message)
        if !properties.isEmpty { object["properties"] = .object(properties) }
        return object
    }

    private func properties(_ message: MQTTMessage) -> JSONObject {
        let properties = message.properties
        var object = JSONObject()
        object["payload-format-indicator"] = properties.payloadFormatIndicator.map { .int(Int64($0)) }
        object["message-expiry-interval"] = properties.messageExpiryInterval.map { .int(Int64($0)) }
        object["content-type"] = properties.contentType.map { .string($0) }
        object["response-topic"] = properties.responseTopic.map { .string($0) }
        object["correlation-data"] = properties.correlationData.map { .string(String(buffer: $0)) }
        object["topic-alias"] = properties.topicAlias.map { .int(Int64($0)) }
        object["subscription-identifier"] = subscriptionIdentifier(message).map { .int(Int64($0)) }
        let user = properties.userProperties
        if !user.isEmpty {
            // An array, since names may be there more than once.
            object["user-properties"] = .array(user.map { .object([$0.name: .string($0.value)]) })
        }
        return object
    }

    private func written(_ object: JSONObject) -> String {
        isPretty ? Self.pretty(.object(object), depth: 1) : JSONValue.object(object).description
    }

    /// Members on lines of their own, indented by tabs.
    private static func pretty(_ value: JSONValue, depth: Int) -> String {
        let indent = String(repeating: "\t", count: depth)
        switch value {
        case .object(let object):
            let members = object.map {
                indent + JSONValue.string($0.key).description + ":\t" + pretty($0.value, depth: depth + 1)
            }
            return "{\n" + members.joined(separator: ",\n") + (members.isEmpty ? "" : "\n") + indent.dropFirst() + "}"
        case .array(let array):
            return "[" + array.map { pretty($0, depth: depth + 1) }.joined(separator: ", ") + "]"
        default:
            return value.description
        }
    }
}
