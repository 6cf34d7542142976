import MQTTCore

/// One message for one session.
struct Delivery: Sendable {
    let message: Message
    /// The lower of the published and the granted QoS.
    let qos: QoS
    /// The RETAIN flag as this receiver gets it.
    let retain: Bool
    /// The identifiers of all subscriptions it matches (MQTT-3.3.4-3, -4).
    let identifiers: [UInt32]
    /// The shared subscription it came by: where it goes if this member can't take it.
    let group: SharedGroup?
}
