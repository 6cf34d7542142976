import Foundation
import MQTTX

/// A message as a JSON object, with mosquitto_sub's names.
enum MessageJSON {
    /// - Parameter parsesPayload: whether a payload that is JSON goes in as such rather than as a string.
    static func value(_ message: MQTTMessage, _ time: WallTime, parsesPayload: Bool) -> JSONValue {
        var object: JSONObject = [
            "tst": .string(time.iso8601Microseconds),
            "topic": .string(message.topic),
            "qos": .int(Int64(message.qos.rawValue)),
            "retain": .int(message.retain ? 1 : 0),
            "payloadlen": .int(Int64(message.payload.readableBytes)),
        ]
        if let id = message.packetID { object["mid"] = .int(Int64(id)) }
        let properties = properties(message.properties)
        if !properties.isEmpty { object["properties"] = .object(properties) }
        if parsesPayload, let value = try? JSONValue(jsonBytes: message.payload) {
            object["payload"] = value
        } else if let text = message.string {
            object["payload"] = .string(text)
        } else {
            // Bytes that are no text can't stand in JSON as they are.
            object["payload"] = .binary(Array(message.payload.readableBytesView))
            object["payload-encoding"] = "base64"
        }
        return .object(object)
    }

    private static func properties(_ properties: Properties) -> JSONObject {
        var object = JSONObject()
        object["payload-format-indicator"] = properties.payloadFormatIndicator.map { .int(Int64($0)) }
        object["message-expiry-interval"] = properties.messageExpiryInterval.map { .int(Int64($0)) }
        object["content-type"] = properties.contentType.map { .string($0) }
        object["response-topic"] = properties.responseTopic.map { .string($0) }
        object["correlation-data"] = properties.correlationData.map { .string(String(buffer: $0)) }
        object["topic-alias"] = properties.topicAlias.map { .int(Int64($0)) }
        let identifiers = properties.subscriptionIdentifiers
        if !identifiers.isEmpty { object["subscription-identifier"] = .array(identifiers.map { .int(Int64($0)) }) }
        let user = properties.userProperties
        if !user.isEmpty {
            object["user-properties"] = .array(user.map { .object([$0.name: .string($0.value)]) })
        }
        return object
    }

    static func pretty(_ value: JSONValue) -> String {
        guard let data = value.description.data(using: .utf8),
            let object = try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed),
            let text = try? JSONSerialization.data(
                withJSONObject: object, options: [.prettyPrinted, .fragmentsAllowed, .withoutEscapingSlashes])
        else { return value.description }
        return String(decoding: text, as: UTF8.self)
    }
}
