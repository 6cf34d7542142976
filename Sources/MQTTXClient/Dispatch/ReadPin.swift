internal import Synchronization

/// Counts memory that messages hold for as long as one of them waits: a small slice holds its whole read buffer.
final class ReadPin: Sendable {
    private let bytes: Int
    private let account: PinnedBytes

    init(bytes: Int, account: PinnedBytes) {
        self.bytes = bytes
        self.account = account
        account.total.add(bytes, ordering: .relaxed)
    }

    deinit { account.total.subtract(bytes, ordering: .relaxed) }
}

/// The memory that waiting messages hold.
final class PinnedBytes: Sendable {
    let total = Atomic<Int>(0)
}
