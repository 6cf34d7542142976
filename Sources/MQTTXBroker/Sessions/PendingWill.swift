import MQTTCore
import NIOCore

/// A will for as long as it may have to be published: while its client is connected, and for its delay after that. Until
/// it is let go of it counts against the memory of all wills.
final class PendingWill: Sendable {
    /// In seconds.
    let delay: UInt32
    private let kept: Message
    private let lifetime: UInt32?
    private let account: MemoryAccount
    private let cost: Int

    /// - Returns: nil if there is no room.
    init?(_ will: Will, account: MemoryAccount) {
        let kept = Message(
            MessageContent(topic: will.topic, payload: will.payload, properties: will.properties), qos: will.qos,
            retain: will.retain)
        let cost = kept.cost + 160
        guard account.take(cost) else { return nil }
        delay = will.properties.willDelayInterval ?? 0
        lifetime = will.properties.messageExpiryInterval
        self.kept = kept
        self.account = account
        self.cost = cost
    }

    var topic: String { kept.topic }
    var qos: QoS { kept.qos }
    var retain: Bool { kept.retain }

    deinit { account.add(-cost) }

    /// What is published; its lifetime begins now (section 3.1.3.2.4).
    var content: MessageContent {
        var content = kept.content
        content.expiry = lifetime.map { .now() + .seconds(Int64($0)) }
        return content
    }
}
