package import MQTTCore
internal import Synchronization

/// Stands for one message on its way; ``outcome`` tells how it ended.
public final class PublishReceipt: Sendable {
    private struct State {
        var outcome: PublishOutcome?
        // One task waits as a rule: no array for it.
        var waiter: Waiter?
        var moreWaiters: [Waiter] = []
        var nextID = 0
        var failed: (@Sendable (MQTTXError) -> Void)?
    }

    private struct Waiter {
        let id: Int
        let continuation: UnsafeContinuation<PublishOutcome?, Never>
    }

    private let state = Mutex(State())

    package init() {}

    /// How the message ended; waits until it has. Cancelling the task ends the waiting, not the message.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    public var outcome: PublishOutcome {
        // Part of who waits: each async call on the way costs a look at where to go on.
        @inline(__always)
        get async throws {
            let (known, id) = state.withLock { state -> (PublishOutcome?, Int) in
                if let outcome = state.outcome { return (outcome, 0) }
                state.nextID += 1
                return (nil, state.nextID)
            }
            if let known { return known }
            let outcome = await withTaskCancellationHandler {
                await withUnsafeContinuation { continuation in
                    let outcome: PublishOutcome?? = state.withLock { state in
                        if let outcome = state.outcome { return .some(outcome) }
                        if Task.isCancelled { return .some(nil) }
                        let waiter = Waiter(id: id, continuation: continuation)
                        if state.waiter == nil { state.waiter = waiter } else { state.moreWaiters.append(waiter) }
                        return nil
                    }
                    if let outcome { continuation.resume(returning: outcome) }
                }
            } onCancel: {
                takeWaiter(id)?.continuation.resume(returning: nil)
            }
            guard let outcome else { throw CancellationError() }
            return outcome
        }
    }

    /// The outcome, if it is there already.
    public var outcomeIfKnown: PublishOutcome? { state.withLock { $0.outcome } }

    /// Calls the body if the message fails, on no particular thread and under no lock; the body must return at once.
    /// Only one can be set.
    package func onFailure(_ body: @escaping @Sendable (MQTTXError) -> Void) {
        let outcome = state.withLock { state in
            if state.outcome == nil { state.failed = body }
            return state.outcome
        }
        if case .failed(let error) = outcome { body(error) }
    }

    /// Only the first call counts.
    package func complete(_ outcome: PublishOutcome) {
        let (first, more, failed) = state.withLock {
            state -> (Waiter?, [Waiter], (@Sendable (MQTTXError) -> Void)?) in
            guard state.outcome == nil else { return (nil, [], nil) }
            state.outcome = outcome
            defer {
                state.waiter = nil
                if !state.moreWaiters.isEmpty { state.moreWaiters = [] }
                state.failed = nil
            }
            return (state.waiter, state.moreWaiters, state.failed)
        }
        if case .failed(let error) = outcome { failed?(error) }
        first?.continuation.resume(returning: outcome)
        for waiter in more { waiter.continuation.resume(returning: outcome) }
    }

    private func takeWaiter(_ id: Int) -> Waiter? {
        state.withLock { state in
            if let waiter = state.waiter, waiter.id == id {
                state.waiter = nil
                return waiter
            }
            guard let index = state.moreWaiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.moreWaiters.remove(at: index)
        }
    }
}
