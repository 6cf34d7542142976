import Synchronization

/// The memory of the messages that all sessions keep for clients that are away or take nothing.
final class QueueAccount: Sendable {
    private let limit: Int
    private let used = Atomic<Int>(0)

    init(limit: Int) { self.limit = limit }

    func hasRoom(for bytes: Int) -> Bool { used.load(ordering: .relaxed) + bytes <= limit }

    func add(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }
}
