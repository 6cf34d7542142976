import MQTTX

/// What the fields of a format stand for in one message.
struct MessageFields {
    static let letters = "tpqrlmxXjJIUCDEFPRSA"

    private let message: MQTTMessage
    private let time: WallTime
    private let json: MessageJSON

    init(_ message: MQTTMessage, _ time: WallTime, _ json: MessageJSON) {
        self.message = message
        self.time = time
        self.json = json
    }

    /// Only some fields have a layout; the others come out as they are.
    func write(_ letter: Character, _ layout: FieldLayout, to result: inout ByteBuffer) {
        let properties = message.properties
        switch letter {
        case "t": layout.write(text: message.topic, to: &result)
        case "p": layout.write(payload: message.payload, to: &result)
        case "q": result.writeString("\(message.qos.rawValue)")
        case "r": result.writeString(message.retain ? "1" : "0")
        case "l": layout.write(number: message.payload.readableBytes, to: &result)
        case "m": layout.write(number: Int(message.packetID ?? 0), to: &result)
        case "x": layout.write(hexadecimal: message.payload, "0123456789abcdef", to: &result)
        case "X": layout.write(hexadecimal: message.payload, "0123456789ABCDEF", to: &result)
        case "j": result.writeString(json.text(message, time))
        case "J": writeParsed(to: &result)
        case "I": layout.write(text: time.iso8601, to: &result)
        case "U": result.writeString(time.seconds)
        case "A": layout.write(number: properties.topicAlias.map(Int.init), to: &result)
        case "C": layout.write(text: properties.contentType ?? "", to: &result)
        case "D": if let data = properties.correlationData { result.writeImmutableBuffer(data) }
        case "E": layout.write(number: properties.messageExpiryInterval.map(Int.init), to: &result)
        case "F": layout.write(number: properties.payloadFormatIndicator.map(Int.init), to: &result)
        case "P":
            result.writeString(properties.userProperties.map { "\($0.name):\($0.value)" }.joined(separator: " "))
        case "R": if let topic = properties.responseTopic { layout.write(text: topic, to: &result) }
        case "S": layout.write(number: json.subscriptionIdentifier(message), to: &result)
        default: break
        }
    }

    private func writeParsed(to result: inout ByteBuffer) {
        guard let text = json.parsedText(message, time) else {
            StandardError.warn("a message of \(message.topic) is not JSON")
            return
        }
        result.writeString(text)
    }
}
