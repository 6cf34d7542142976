internal import Synchronization

/// How much may wait for handlers, in messages and bytes.
package struct QueueBounds: Sendable {
    /// What one waiting message costs beside its payload.
    private static let overhead = 160

    /// The memory that waiting messages hold.
    let pinned = PinnedBytes()
    private let maxMessages: Int
    private let maxBytes: Int

    package init(_ config: MQTTConfig) {
        maxMessages = max(1, config.messageQueueMaxSize)
        maxBytes = max(1, config.messageQueueMaxBytes)
    }

    /// Whether at least `parts` times what may wait does.
    func isFull(_ parts: Int = 1, queued: Int) -> Bool {
        queued >= parts * maxMessages || bytes(queued) >= parts * maxBytes
    }

    /// Whether so much has been handled that reading may go on.
    func hasRoomAgain(queued: Int) -> Bool { queued <= maxMessages / 2 && bytes(queued) <= maxBytes / 2 }

    private func bytes(_ queued: Int) -> Int { pinned.total.load(ordering: .relaxed) + queued * Self.overhead }
}
