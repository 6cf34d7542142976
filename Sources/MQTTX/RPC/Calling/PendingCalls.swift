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
    final class Call: @unchecked Sendable {
        // Unchecked, also for exclusive access: what changes is guarded by the lock of the calls.

        let id: UTF8Key
        let deadline: NIODeadline
        @exclusivity(unchecked)
        fileprivate var continuation: UnsafeContinuation<Outcome, Never>?
        /// What came before the caller began to wait.
        @exclusivity(unchecked)
        fileprivate var outcome: Outcome?
        /// Whether it has ended; then only the deadlines still know of it.
        @exclusivity(unchecked)
        var isOver = false

        init(_ id: String, deadline: NIODeadline) {
            self.id = UTF8Key(id)
            self.deadline = deadline
        }
    }

    private struct State {
        var calls: [UTF8Key: Call] = [:]
        var deadlines = DeadlineHeap()
        /// When the timer is to fire; nil when there is none.
        var alarm: NIODeadline?
        var closed: MQTTXError?
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
            state.calls[call.id] = call
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
            complete(call.id.string, .cancelled)
        }
    }

    /// Ends a call.
    ///
    /// - Returns: false if nobody waits for it, or not any more.
    @discardableResult
    func complete(_ id: String, _ outcome: Outcome) -> Bool {
        let (isKnown, continuation) = state.withLock {
            state -> (Bool, UnsafeContinuation<Outcome, Never>?) in
            guard let call = state.calls.removeValue(forKey: UTF8Key(id)) else { return (false, nil) }
            call.isOver = true
            if call.continuation == nil { call.outcome = outcome }
            return (true, call.continuation)
        }
        continuation?.resume(returning: outcome)
        return isKnown
    }

    /// Forgets a call that could not be sent.
    func abandon(_ call: Call) {
        state.withLock { state in
            call.isOver = true
            state.calls[call.id] = nil
        }
    }

    func failAll(_ error: MQTTXError) {
        let ids = state.withLock { Array($0.calls.keys) }
        for id in ids { complete(id.string, .failed(error)) }
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
            state.deadlines.sweep()
            while let first = state.deadlines.first, first.deadline <= now {
                due.append(first)
                state.deadlines.removeFirst()
            }
            state.alarm = state.deadlines.first?.deadline
            return (due, state.alarm)
        }
        for call in due { complete(call.id.string, .timedOut) }
        if let next { arm(next) }
    }
}
