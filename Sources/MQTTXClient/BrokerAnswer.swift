public import MQTTCore

/// What the broker said to a packet of ours: PUBACK, PUBREC or PUBCOMP to a message, SUBACK, UNSUBACK.
public struct BrokerAnswer: Sendable, Equatable {
    /// Success, or one of the codes below 0x80 that tell more, as that nobody has subscribed (0x10).
    public let reasonCode: ReasonCode
    /// What came with it (MQTT 5.0).
    public let properties: Properties

    init(_ reasonCode: ReasonCode, _ properties: Properties = Properties()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }

    /// The broker's words, for people.
    public var reasonString: String? { properties.reasonString }

    /// The broker's user properties, in order.
    public var userProperties: [UserProperty] { properties.userProperties }
}
