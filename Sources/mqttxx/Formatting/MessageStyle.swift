import MQTTX

/// How each message appears on standard output.
struct MessageStyle: Sendable {
    enum Layout: Sendable {
        case payload
        case topicAndPayload
        case format(MessageFormat)
    }

    var layout: Layout
    var endsLine: Bool
    var json: MessageJSON

    /// The message, printed. As with mosquitto_sub an empty payload by itself is nothing, not even a line end.
    func bytes(_ message: MQTTMessage) -> ByteBuffer {
        var result = ByteBuffer()
        let isEmpty = message.payload.readableBytes == 0
        switch layout {
        case .payload:
            if isEmpty { return result }
            result.writeImmutableBuffer(message.payload)
        case .topicAndPayload:
            if isEmpty, !endsLine { return result }
            result.writeString(message.topic + " ")
            if isEmpty { result.writeString("(null)") } else { result.writeImmutableBuffer(message.payload) }
        case .format(let format):
            format.write(message, json, to: &result)
        }
        if endsLine { result.writeInteger(UInt8(ascii: "\n")) }
        return result
    }
}
