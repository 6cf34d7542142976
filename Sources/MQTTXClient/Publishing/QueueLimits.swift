/// The bounds and policies of the queue.
package struct QueueLimits: Sendable {
    let maxMessages: Int
    let maxBytes: Int
    let policy: QueuePolicy
    let whileDisconnected: DisconnectedPolicy
    let lostSessionQoS2: LostSessionPolicy
}

extension QueueLimits {
    package init(_ config: MQTTConfig) {
        maxMessages = max(0, config.maxQueuedMessages)
        maxBytes = max(1, config.maxQueuedBytes)
        policy = config.queuePolicy
        whileDisconnected = config.whileDisconnected
        lostSessionQoS2 = config.lostSessionQoS2
    }
}
