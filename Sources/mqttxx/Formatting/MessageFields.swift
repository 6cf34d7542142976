import MQTTX

/// What the fields of a format stand for in one message.
struct MessageFields {
    private let message: MQTTMessage
    private let time: WallTime
    private let isPretty: Bool

    init(_ message: MQTTMessage, _ time: WallTime, isPretty: Bool) {
        self.message = message
        self.time = time
        self.isPretty = isPretty
    }

    func text(_ letter: Character) -> String {
        let properties = message.properties
        return switch letter {
        case "t": message.topic
        case "p": String(buffer: message.payload)
        case "q": "\(message.qos.rawValue)"
        case "r": message.retain ? "1" : "0"
        case "d": message.dup ? "1" : "0"
        case "l": "\(message.payload.readableBytes)"
        case "m": "\(message.packetID ?? 0)"
        case "x": hexadecimal("0123456789abcdef")
        case "X": hexadecimal("0123456789ABCDEF")
        case "j": json(parsesPayload: false)
        case "J": json(parsesPayload: true)
        case "I": time.iso8601
        case "U": time.seconds
        case "A": properties.topicAlias.map { "\($0)" } ?? ""
        case "C": properties.contentType ?? ""
        case "D": properties.correlationData.map { String(buffer: $0) } ?? ""
        case "E": properties.messageExpiryInterval.map { "\($0)" } ?? ""
        case "F": properties.payloadFormatIndicator.map { "\($0)" } ?? ""
        case "P": properties.userProperties.map { "\($0.name):\($0.value)" }.joined(separator: " ")
        case "R": properties.responseTopic ?? ""
        case "S": properties.subscriptionIdentifiers.map { "\($0)" }.joined(separator: " ")
        default: ""
        }
    }

    private func json(parsesPayload: Bool) -> String {
        let value = MessageJSON.value(message, time, parsesPayload: parsesPayload)
        return isPretty ? MessageJSON.pretty(value) : value.description
    }

    private func hexadecimal(_ digits: StaticString) -> String {
        let bytes = message.payload.readableBytesView
        return digits.withUTF8Buffer { digits in
            String(unsafeUninitializedCapacity: bytes.count * 2) { text in
                for (index, byte) in bytes.enumerated() {
                    text[index * 2] = digits[Int(byte >> 4)]
                    text[index * 2 + 1] = digits[Int(byte & 15)]
                }
                return bytes.count * 2
            }
        }
    }
}
