internal import MQTTCore
internal import Synchronization

/// One handler that a program has registered.
package final class HandlerEntry: Sendable {
    package enum Action: Sendable {
        /// Runs on a worker.
        case concurrent(@Sendable (MQTTMessage) async throws -> Void)
        /// Runs on a thread pool, since it blocks its thread.
        case blocking(@Sendable (MQTTMessage) throws -> Void)
        /// Runs on the event loop as the message arrives, and must return at once: replies to RPC calls.
        case onReceipt(@Sendable (MQTTMessage) -> Void, isExclusive: Bool)
    }

    let id: UInt64
    let action: Action
    /// Told when the subscription ends without the handler's doing: refused, or unsubscribed by its filter.
    let ended: (@Sendable (MQTTXError?) -> Void)?
    private let cancelled = Atomic<Bool>(false)

    init(id: UInt64, action: Action, ended: (@Sendable (MQTTXError?) -> Void)? = nil) {
        self.id = id
        self.action = action
        self.ended = ended
    }

    var isOnReceipt: Bool {
        if case .onReceipt = action { true } else { false }
    }

    /// Whether no other such handler may have the same topic filter.
    var isExclusive: Bool {
        if case .onReceipt(_, isExclusive: true) = action { true } else { false }
    }

    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    func cancel() { cancelled.store(true, ordering: .relaxed) }
}
