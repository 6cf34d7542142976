import MQTTCore

/// One subscription of one session.
struct Subscription: Sendable {
    var options: SubscriptionOptions
    /// The Subscription Identifier it came with, if any (MQTT-3.8.2.1.2).
    var identifier: UInt32?
}
