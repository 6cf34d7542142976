import Synchronization

/// Memory that something of all sessions may take together: the messages kept for clients that are away or take nothing,
/// or the wills.
final class MemoryAccount: Sendable {
    private let limit: Int
    private let used = Atomic<Int>(0)

    init(limit: Int) { self.limit = limit }

    func hasRoom(for bytes: Int) -> Bool { used.load(ordering: .relaxed) + bytes <= limit }

    func add(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }

    /// Adds them if there is room.
    func take(_ bytes: Int) -> Bool {
        if used.add(bytes, ordering: .relaxed).newValue <= limit { return true }
        add(-bytes)
        return false
    }
}
