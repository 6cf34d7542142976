/// How a message is laid out in an MQTT packet.
public enum MessageForm: Sendable, Hashable, CaseIterable {
    /// The envelope as payload and the properties of the native form as well: understood by every peer. The default
    /// on MQTT 5.0.
    case dual
    /// All in the payload, as mqttxx 3 does; the only form on MQTT 3.1.1.
    case envelope
    /// What is about the message in MQTT 5.0 properties, and only the rest in the payload, as mqttxx 4 does.
    case native

    var hasEnvelope: Bool { self != .native }
    var hasProperties: Bool { self != .envelope }
}
