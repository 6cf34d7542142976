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

    private struct Call {
        var continuation: UnsafeContinuation<Outcome, Never>?
        /// What came before the caller began to wait.
        var outcome: Outcome?
    }

    private struct State {
        var calls: [String: Call] = [:]
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
    func begin(_ id: String, deadline: NIODeadline) throws(MQTTXError) {
        let mustArm = try state.withLock { state throws(MQTTXError) in
            if let error = state.closed { throw error }
            guard state.calls.count < limit else {
                throw MQTTXError(.tooManyPendingCalls, "\(state.calls.count) calls are waiting already")
            }
            state.calls[id] = Call()
            state.deadlines.insert(id, deadline)
            if state.deadlines.count > 2 * state.calls.count + 64 {
                let calls = state.calls
                state.deadlines.sweep { calls[$0] != nil }
            }
            guard state.alarm.map({ deadline < $0 }) ?? true else { return false }
            state.alarm = deadline
            return true
        }
        if mustArm { arm(deadline) }
    }

    /// Waits for the end of a call that has begun. A cancelled task ends it.
    func wait(_ id: String) async -> Outcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let outcome = state.withLock { state -> Outcome? in
                    guard let index = state.calls.index(forKey: id) else { return .cancelled }
                    if let outcome = state.calls.values[index].outcome {
                        state.calls.remove(at: index)
                        return outcome
                    }
                    state.calls.values[index].continuation = continuation
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            complete(id, .cancelled)
        }
    }

    /// Ends a call.
    ///
    /// - Returns: false if nobody waits for it, or not any more.
    @discardableResult
    func complete(_ id: String, _ outcome: Outcome) -> Bool {
        let (isKnown, continuation) = state.withLock {
            state -> (Bool, UnsafeContinuation<Outcome, Never>?) in
            guard let index = state.calls.index(forKey: id) else { return (false, nil) }
            if let continuation = state.calls.values[index].continuation {
                state.calls.remove(at: index)
                return (true, continuation)
            }
            guard state.calls.values[index].outcome == nil else { return (false, nil) }
            state.calls.values[index].outcome = outcome
            return (true, nil)
        }
        continuation?.resume(returning: outcome)
        return isKnown
    }

    /// Forgets a call that could not be sent.
    func abandon(_ id: String) { _ = state.withLock { $0.calls.removeValue(forKey: id) } }

    func failAll(_ error: MQTTXError) {
        let ids = state.withLock { Array($0.calls.keys) }
        for id in ids { complete(id, .failed(error)) }
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
        let (due, next) = state.withLock { state -> ([String], NIODeadline?) in
            // An earlier timer has taken over.
            guard state.alarm == deadline else { return ([], nil) }
            var due: [String] = []
            while let earliest = state.deadlines.earliest, earliest <= now, let item = state.deadlines.removeEarliest()
            {
                due.append(item.id)
            }
            let calls = state.calls
            while let item = state.deadlines.first, calls[item.id] == nil { _ = state.deadlines.removeEarliest() }
            state.alarm = state.deadlines.earliest
            return (due, state.alarm)
        }
        for id in due { complete(id, .timedOut) }
        if let next { arm(next) }
    }
}
