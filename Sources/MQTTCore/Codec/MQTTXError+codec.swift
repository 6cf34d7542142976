extension MQTTXError {
    /// The bytes can't be parsed as the specification says (0x81).
    @inline(never)
    static func malformed(_ message: String) -> MQTTXError {
        MQTTXError(.protocolViolation, message, reasonCode: .malformedPacket)
    }

    /// The packet parses, but says what the protocol does not allow (0x82).
    @inline(never)
    static func protocolError(_ message: String) -> MQTTXError {
        MQTTXError(.protocolViolation, message, reasonCode: .protocolError)
    }

    /// The packet ends before what it must hold (0x81).
    @inline(never)
    static func truncated(_ what: StaticString) -> MQTTXError {
        malformed("packet ends within its \(what)")
    }

    /// A string that MQTT does not take (section 1.5.4, 0x81).
    @inline(never)
    static func notUTF8(_ what: StaticString) -> MQTTXError {
        MQTTXError(.invalidUTF8, "\(what) is not well-formed UTF-8", reasonCode: .malformedPacket)
    }

    /// A string with U+0000, which MQTT does not take (MQTT-1.5.4-2, 0x81).
    @inline(never)
    static func containsNull(_ what: StaticString) -> MQTTXError {
        MQTTXError(.invalidUTF8, "\(what) contains U+0000", reasonCode: .malformedPacket)
    }

    /// A value of our own that can't be put on the wire.
    @inline(never)
    static func notEncodable(_ message: String) -> MQTTXError {
        MQTTXError(.encodingFailed, message)
    }

    /// A packet over the limit of whoever receives it (0x95).
    @inline(never)
    static func packetTooLarge(_ size: Int, limit: Int) -> MQTTXError {
        MQTTXError(
            .packetTooLarge, "packet of \(size) bytes is larger than the limit of \(limit)", reasonCode: .packetTooLarge
        )
    }

    /// A topic name that is none (0x90).
    @inline(never)
    static func invalidTopicName(_ message: String) -> MQTTXError {
        MQTTXError(.invalidTopic, message, reasonCode: .topicNameInvalid)
    }
}
