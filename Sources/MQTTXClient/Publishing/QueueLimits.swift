/// The bounds and policies of the queue.
struct QueueLimits: Sendable {
    let maxMessages: Int
    let maxBytes: Int
    let policy: QueuePolicy
    let whileDisconnected: DisconnectedPolicy
    let lostSessionQoS2: LostSessionPolicy
}
