internal import MQTTCore
internal import MQTTXClient
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
        /// Its place in the order of calls, from 1.
        @exclusivity(unchecked)
        fileprivate var number: UInt64 = 0
        /// Whether the caller may wait without being told of a cancellation: until it is found to take long.
        @exclusivity(unchecked)
        fileprivate var isWatched = true
        @exclusivity(unchecked)
        fileprivate var continuation: UnsafeContinuation<Outcome?, Never>?
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
        var lastNumber: UInt64 = 0
        var watch = FlightWatch()
        /// When the timer is to fire; nil when there is none.
        var alarm: NIODeadline?
        var timer: Scheduled<Void>?
        var closed: MQTTXError?

        /// The callers of these calls, who are told of a cancellation at once from now on.
        mutating func takeLong(_ numbers: Range<UInt64>) -> [UnsafeContinuation<Outcome?, Never>] {
            guard !numbers.isEmpty else { return [] }
            return calls.all.compactMap { call in
                guard numbers.contains(call.number), call.isWatched else { return nil }
                call.isWatched = false
                return call.continuation.take()
            }
        }

        /// - Returns: false if it has ended before.
        mutating func end(_ call: Call) -> Bool {
            guard !call.isOver else { return false }
            call.isOver = true
            calls.remove(call)
            return true
        }
    }

    /// A call that waits for so long, or twice that, takes long.
    private static let patience = TimeAmount.milliseconds(50)

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
        let (mustArm, mustWatch) = try state.withLock { state throws(MQTTXError) in
            if let error = state.closed { throw error }
            guard state.calls.count < limit else {
                throw MQTTXError(.tooManyPendingCalls, "\(state.calls.count) calls are waiting already")
            }
            state.lastNumber += 1
            call.number = state.lastNumber
            state.calls.insert(call)
            let mustWatch = state.watch.begin()
            state.deadlines.insert(call)
            if state.deadlines.count > 2 * state.calls.count + 64 { state.deadlines.sweep() }
            guard state.alarm.map({ deadline < $0 }) ?? true else { return (false, mustWatch) }
            state.alarm = deadline
            return (true, mustWatch)
        }
        if mustArm { arm(deadline) }
        if mustWatch { watch() }
        return call
    }

    /// Waits for the end of a call that has begun. A cancelled task ends it: at once, but for the first tenth of a second, at
    /// whose end at the latest.
    func wait(_ call: Call) async -> Outcome {
        // Responses come at once as a rule, and to be told of a cancellation meanwhile would be a tenth of a call.
        if let outcome = await outcomeIfSoon(call) { return outcome }
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { register($0, for: call, untilItTakesLong: false) }
        } onCancel: {
            complete(call, .cancelled)
        }
        return outcome ?? .cancelled
    }

    @inline(__always)
    private func outcomeIfSoon(_ call: Call) async -> Outcome? {
        await withUnsafeContinuation { register($0, for: call, untilItTakesLong: true) }
    }

    /// Lets the caller wait, or go on at once: with the outcome if it is known, with nothing if it must not wait like this.
    @inline(__always)
    private func register(
        _ continuation: UnsafeContinuation<Outcome?, Never>, for call: Call, untilItTakesLong: Bool
    ) {
        let outcome: Outcome?? = state.withLock { _ in
            if let outcome = call.outcome.take() { return .some(outcome) }
            if untilItTakesLong, !call.isWatched || Task.isCancelled { return .some(nil) }
            call.continuation = continuation
            return nil
        }
        if let outcome { continuation.resume(returning: outcome) }
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
            state -> (Bool, UnsafeContinuation<Outcome?, Never>?) in
            guard state.end(call) else { return (false, nil) }
            if call.continuation == nil { call.outcome = outcome }
            return (true, call.continuation.take())
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
        disarm()
    }

    // MARK: The timers

    /// Looks for calls that take long, until each that was made has been looked at.
    private func watch() {
        let look = eventLoop.scheduleTask(in: Self.patience) {
            let (callers, goesOn) = self.state.withLock { state in
                (state.takeLong(state.watch.next(lastSent: state.lastNumber)), state.watch.isOn)
            }
            for caller in callers { caller.resume(returning: nil) }
            if goesOn { self.watch() }
        }
        // The event loop was shut down: nobody looks any more.
        look.futureResult.whenFailure { _ in
            let callers = self.state.withLock { state in
                state.watch.stop()
                return state.takeLong(1..<state.lastNumber + 1)
            }
            for caller in callers { caller.resume(returning: nil) }
        }
    }

    private func arm(_ deadline: NIODeadline) {
        // Not weakly, which would make each count of references to this cost twice as much: disarm() ends it.
        let timer = eventLoop.scheduleTask(deadline: deadline) { self.fire(deadline) }
        let stale = state.withLock { state -> Scheduled<Void>? in
            // Another timer has taken over, or nobody calls any more.
            guard state.alarm == deadline else { return timer }
            defer { state.timer = timer }
            return state.timer
        }
        stale?.cancel()
    }

    /// Nobody calls any more.
    func disarm() {
        let timer = state.withLock { state in
            state.alarm = nil
            return state.timer.take()
        }
        timer?.cancel()
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

extension PendingCalls: PublishObserver {
    /// A call's request was not delivered.
    func publishFailed(_ call: any AnyObject & Sendable, _ error: MQTTXError) {
        guard let call = call as? Call else { return }
        complete(call, .failed(error))
    }
}
