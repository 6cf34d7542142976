import MQTTX

/// A message as a JSON object, with mosquitto_sub's names.
struct MessageJSON: Sendable {
    /// Whether it is spread over several lines.
    var isPretty = false
    /// Whether it is as mosquitto_sub has it: null for an empty payload, and user properties as members, of which several
    /// may have one name. Otherwise they are an empty string and an array, of which no reader of JSON loses anything.
    var isMosquittos = true
    /// The subscription identifier that the user has asked for. Those on the wire are the client's own.
    var identifier: Int?

    /// The payload as a string; as base64 beside a member that says so where it is no text.
    func text(_ message: MQTTMessage, _ time: WallTime) -> String {
        var object = envelope(message, time)
        if message.payload.readableBytes == 0 {
            object["payload"] = isMosquittos ? JSONValue.null : ""
        } else if let text = message.string {
            object["payload"] = .string(text)
        } else {
            object["payload"] = .binary(Array(message.payload.readableBytesView))
            object["payload-encoding"] = "base64"
        }
        return written(object, message)
    }

    /// The payload as the JSON that it is; nil if it is none.
    func parsedText(_ message: MQTTMessage, _ time: WallTime) -> String? {
        var object = envelope(message, time)
        if message.payload.readableBytes == 0 {
            object["payload"] = JSONValue.null
        } else {
            guard let value = try? JSONValue(jsonBytes: message.payload) else { return nil }
            object["payload"] = value.withoutNonNumbers
        }
        return written(object, message)
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
            object[Self.userProperties] = .array(user.map { .object([$0.name: .string($0.value)]) })
        }
        return object
    }

    private static let userProperties = "user-properties"

    private func written(_ object: JSONObject, _ message: MQTTMessage) -> String {
        let written = JSONNode.members(
            object.map { member in
                guard isMosquittos, member.key == "properties", case .object(let properties) = member.value else {
                    return (member.key, .value(member.value))
                }
                return (member.key, .members(properties.map { ($0.key, node(of: $0, message)) }))
            })
        return isPretty ? written.pretty() : written.compact
    }

    private func node(of property: JSONObject.Entry, _ message: MQTTMessage) -> JSONNode {
        guard property.key == Self.userProperties else { return .value(property.value) }
        return .members(message.properties.userProperties.map { ($0.name, .value(.string($0.value))) })
    }
}

extension JSONValue {
    /// With null for what is no number in JSON, such as one too large.
    fileprivate var withoutNonNumbers: JSONValue {
        switch self {
        case .double(let number) where !number.isFinite:
            return .null
        case .array(let values):
            return .array(values.map(\.withoutNonNumbers))
        case .object(var object):
            for key in object.keys { object[key] = object[key]?.withoutNonNumbers }
            return .object(object)
        default:
            return self
        }
    }
}
