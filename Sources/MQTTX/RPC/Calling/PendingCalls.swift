internal import MQTTCore
internal import MQTTXProtocol
internal import NIOCore
internal import Synchronization

/// Calls that wait for their responses. A call is known here before its request is sent, and one timer serves all.
final class PendingCalls: Sendable {
    /// How a call ended.
    enum Outcome: Sendable {
        case response(RPCResponse)
        case timedOut
        case cancelled
        case failed(MQTTXError)
    }

    /// A call that waits.
    final class Call: Chained, @unchecked Sendable {
        // Unchecked, also for exclusive access: what changes is guarded by the lock of the calls.

        /// The request's identifier.
        let key: UTF8Key
        let deadline: NIODeadline
        @exclusivity(unchecked)
        fileprivate var continuation: UnsafeContinuation<Outcome, Never>?
        /// What came before the caller began to wait.
        @exclusivity(unchecked)
        fileprivate var outcome: Outcome?
        /// Whether it has ended; then only the deadlines still know of it.
        @exclusivity(unchecked)
        var isOver = false
        @exclusivity(unchecked)
        var next: Call?

        init(_ id: String, deadline: NIODeadline) {
            key = UTF8Key(id)
            self.deadline = deadline
        }

        var hash: UInt64 { key.hash }
    }

    private struct State {
        var calls = ChainedTable<Call>()
        var deadlines = DeadlineHeap()
        /// When the timer is to fire; nil when there is none.
        var alarm: NIODeadline?
        var closed: MQTTXError?

        /// - Returns: false if it has ended before.
        mutating func end(_ call: Call) -> Bool {
            guard !call.isOver else { return false }
            call.isOver = true
            calls.remove(call)
            return true
        }
    }

    private let state = Mutex(State())
    private let limit: Int
    private let eventLoop: any EventLoop

    init(limit: Int, eventLoop: any EventLoop) {
        self.limit = limit
        self.eventLoop = eventLoop
    }

    var count: Int { state.withLock { $0.calls.count } }

    /// Makes a call known.
    ///
    /// - Throws: ``ErrorCode/tooManyPendingCalls`` at the limit; the error of ``close(_:)`` afterwards.
    func begin(_ id: String, deadline: NIODeadline) throws(MQTTXError) -> Call {
        let call = Call(id, deadline: deadline)
        let mustArm = try state.withLock { state throws(MQTTXError) in
            if let error = state.closed { throw error }
            guard state.calls.count < limit else {
                throw MQTTXError(.tooManyPendingCalls, "\(state.calls.count) calls are waiting already")
            }
            state.calls.insert(call)
            state.deadlines.insert(call)
            if state.deadlines.count > 2 * state.calls.count + 64 { state.deadlines.sweep() }
            guard state.alarm.map({ deadline < $0 }) ?? true else { return false }
            state.alarm = deadline
            return true
        }
        if mustArm { arm(deadline) }
        return call
    }

    /// Waits for the end of a call that has begun. A cancelled task ends it.
    func wait(_ call: Call) async -> Outcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let outcome = state.withLock { _ -> Outcome? in
                    if call.outcome == nil { call.continuation = continuation }
                    return call.outcome.take()
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            complete(call, .cancelled)
        }
    }

    /// Ends a call.
    ///
    /// - Returns: false if nobody waits for it, or not any more.
    @discardableResult
    func complete(_ id: String, _ outcome: Outcome) -> Bool {
        let id = UTF8Key(id)
        guard let call = state.withLock({ $0.calls.find(id, hash: id.hash) }) else { return false }
        return complete(call, outcome)
    }

    @discardableResult
    func complete(_ call: Call, _ outcome: Outcome) -> Bool {
        let (isEnded, continuation) = state.withLock {
            state -> (Bool, UnsafeContinuation<Outcome, Never>?) in
            guard state.end(call) else { return (false, nil) }
            if call.continuation == nil { call.outcome = outcome }
            return (true, call.continuation)
        }
        continuation?.resume(returning: outcome)
        return isEnded
    }

    /// Forgets a call that could not be sent.
    func abandon(_ call: Call) {
        state.withLock { state in _ = state.end(call) }
    }

    func failAll(_ error: MQTTXError) {
        for call in state.withLock({ $0.calls.all }) { complete(call, .failed(error)) }
    }

    /// Ends all calls and takes no more.
    func close(_ error: MQTTXError) {
        state.withLock { $0.closed = error }
        failAll(error)
    }

    // MARK: The timer

    private func arm(_ deadline: NIODeadline) {
        eventLoop.scheduleTask(deadline: deadline) { [weak self] in self?.fire(deadline) }
    }

    private func fire(_ deadline: NIODeadline) {
        let now = NIODeadline.now()
        let (due, next) = state.withLock { state -> ([Call], NIODeadline?) in
            // An earlier timer has taken over.
            guard state.alarm == deadline else { return ([], nil) }
            var due: [Call] = []
            while let first = state.deadlines.first, first.isOver || first.deadline <= now {
                if !first.isOver { due.append(first) }
                state.deadlines.removeFirst()
            }
            state.alarm = state.deadlines.first?.deadline
            return (due, state.alarm)
        }
        for call in due { complete(call, .timedOut) }
        if let next { arm(next) }
    }
}
