public import MQTTCore

/// Something a program may want to know though no call of its own failed: what was dropped, parked, refused or lost.
public enum Notice: Sendable {
    /// A received message was not handed to any handler, and why.
    case messageDropped(topic: String, qos: QoS, reason: String)
    /// A received message has no handler yet and waits for one.
    case messageParked(topic: String)
    /// A payload larger than `maxPayloadSize` was skipped.
    case payloadSkipped(topic: String, size: Int)
    /// A handler threw.
    case handlerFailed(topic: String, error: any Error)
    /// A message was acknowledged before its handlers returned, so that the broker would go on sending.
    case acknowledgedEarly(packetID: UInt16)
    /// Messages of QoS 0 that were being written when the connection was lost.
    case messagesLost(count: Int)
    /// A message of ours ended without having reached the broker, or nobody knows whether it did.
    case publishFailed(topic: String, error: MQTTXError)
    /// A subscription was refused when it was restored after a reconnect.
    case subscriptionRefused(filter: String, error: MQTTXError)
    /// The broker has no session any more.
    case sessionLost
    /// The connection is encrypted but the broker's identity is not verified, as configured.
    case unverifiedPeer(host: String)
    /// The connection ended.
    case connectionLost(MQTTXError)
    /// A message of a higher layer was ignored, and why.
    case ignored(topic: String, reason: String)
}
