internal import DequeModule
package import Logging
package import MQTTCore
internal import NIOPosix
internal import Synchronization

/// Received messages between the event loop and the workers that run handlers: lanes of topics in a ring, handed over in
/// batches.
package final class DispatchQueue: Sendable {
    package typealias Earned = (IncomingFlight.Ticket, ReasonCode)

    struct Counters: Sendable {
        var queued = 0
        var handled = 0
        var failures = 0
    }

    /// A lane that a worker has, and the messages of it that it may handle before others have their turn.
    private struct Turn {
        let lane: TopicLane
        let batch: Batch
        let length: Int
        var handled = 0
        var failures = 0
    }

    /// When to tell of acknowledgements that wait for more of their turn. The clock is a twentieth of a message: where the
    /// last handlers were quick, so many more are trusted to be so.
    private struct Telling {
        private static let trusted = 8
        private static let quick = Duration.microseconds(50)

        private var lastTold: ContinuousClock.Instant
        private var lastLook: ContinuousClock.Instant
        private var nextLook = 1

        init(at start: ContinuousClock.Instant) {
            lastTold = start
            lastLook = start
        }

        /// Whether they have waited for long, now that so many messages of the turn have been handled.
        @inline(__always)
        mutating func isDue(after handled: Int) -> Bool {
            guard handled >= nextLook else { return false }
            let now = ContinuousClock.now
            nextLook = handled + (lastLook.duration(to: now) < Self.quick ? Self.trusted : 1)
            lastLook = now
            guard lastTold.duration(to: now) > patience else { return false }
            lastTold = now
            return true
        }
    }

    /// What a worker finds.
    private enum Next {
        case turn(Turn)
        case none
        case stopped
    }

    private struct State {
        var ready = Deque<TopicLane>()
        var idle: [UnsafeContinuation<Void, Never>] = []
        var isStopped = false
        var counters = Counters()
        var spares: [Batch] = []
    }

    private static let longestTurn = 256
    private static let quick = Duration.microseconds(500)
    private static let slow = Duration.milliseconds(5)
    /// How long acknowledgements wait for more of the same turn, but for a few handlers that become slow.
    private static let patience = Duration.microseconds(200)
    /// How many empty batches are kept.
    private static let largeSpares = 16
    private static let smallSpares = 512

    private let state = Mutex(State())
    let bounds: QueueBounds
    private let logger: Logger
    /// Called on a worker's thread with the acknowledgements that handlers have earned.
    private let completed: @Sendable ([Earned]) -> Void
    /// Called on a worker's thread when it has made room; the number of messages that still wait.
    private let turnDone: @Sendable (_ queued: Int) -> Void
    private let notify: @Sendable (Notice) -> Void

    package init(
        bounds: QueueBounds, logger: Logger, notify: @escaping @Sendable (Notice) -> Void,
        completed: @escaping @Sendable ([Earned]) -> Void, turnDone: @escaping @Sendable (Int) -> Void
    ) {
        self.bounds = bounds
        self.logger = logger
        self.notify = notify
        self.completed = completed
        self.turnDone = turnDone
    }

    var counters: Counters { state.withLock { $0.counters } }

    /// Hands over what came in for these lanes.
    ///
    /// - Parameter spares: memory for batches to come; filled when it is empty.
    func append(_ lanes: [TopicLane], spares: inout [Batch]) {
        let woken = state.withLock { state in
            for lane in lanes {
                guard let last = lane.incoming.take() else { continue }
                lane.batches.append(contentsOf: lane.filled)
                lane.batches.append(last)
                state.counters.queued += lane.filled.reduce(last.count) { $0 + $1.count }
                if !lane.filled.isEmpty { lane.filled = [] }
                if !lane.isScheduled {
                    lane.isScheduled = true
                    state.ready.append(lane)
                }
            }
            if spares.isEmpty { swap(&spares, &state.spares) }
            return state.ready.isEmpty ? nil : state.idle.popLast()
        }
        woken?.resume()
    }

    /// Whether no message of the lane waits or is being handled.
    func isIdle(_ lane: TopicLane) -> Bool {
        state.withLock { _ in !lane.isScheduled && lane.batches.isEmpty }
    }

    /// Ends the workers once their present handlers have returned; what still waits is not handled.
    func stop() {
        let (idle, dropped) = state.withLock { state in
            state.isStopped = true
            var dropped: [Deque<Batch>] = []
            // A client may connect again: its lanes have to be as new.
            for lane in state.ready { dropped.append(Self.clear(lane, &state)) }
            defer {
                state.idle = []
                state.ready = []
            }
            return (state.idle, dropped)
        }
        for worker in idle { worker.resume() }
        // Let go outside the lock.
        _ = dropped
    }

    private static func clear(_ lane: TopicLane, _ state: inout State) -> Deque<Batch> {
        for batch in lane.batches { state.counters.queued -= batch.count }
        lane.isScheduled = false
        defer { lane.batches = [] }
        return lane.batches
    }

    func start() { state.withLock { $0.isStopped = false } }

    // MARK: Workers

    /// One worker: runs handlers until ``stop()``.
    // Concurrent: of nobody's isolation, so that it need not be looked up after each handler whose it is.
    @concurrent package func work() async {
        var earned: [Earned] = []
        let clock = ContinuousClock()
        // One turn begins when the one before ends.
        var start = clock.now
        while true {
            var turn: Turn
            switch nextTurn() {
            case .turn(let next): turn = next
            case .stopped: return
            case .none:
                await untilReady()
                start = clock.now
                continue
            }
            var telling = Telling(at: start)
            let handlers = turn.batch.handlers
            // Apart, and bound once: a lone handler costs no retain a message.
            if let (handler, body) = Self.lone(handlers) {
                while turn.handled < turn.length, let message = turn.batch.take() {
                    var failures = 0
                    if !handler.isCancelled {
                        do { try await Self.run(body, message) } catch { failures = failed(error, message) }
                    }
                    handled(failures, in: &turn, &earned, &telling)
                }
            } else {
                while turn.handled < turn.length, let message = turn.batch.take() {
                    handled(await handle(message, by: handlers), in: &turn, &earned, &telling)
                }
            }
            tell(&earned)
            let end = clock.now
            finish(turn, took: start.duration(to: end))
            start = end
        }
    }

    /// Runs a handler.
    ///
    /// A function, for the compiler knows of one that it comes back to where it was called from, and of a closure it does
    /// not: the worker would have to ask after each message where it is to go on, which is a seventh of a message's cost. Not
    /// inlined, for then it would be the closure again.
    @inline(never)
    private static func run(
        _ body: @Sendable (MQTTMessage) async throws -> Void, _ message: MQTTMessage
    ) async throws { try await body(message) }

    /// The one handler, if it runs on workers.
    private static func lone(
        _ handlers: [HandlerEntry]
    ) -> (handler: HandlerEntry, body: @Sendable (MQTTMessage) async throws -> Void)? {
        guard handlers.count == 1, case .concurrent(let body) = handlers[0].action else { return nil }
        return (handlers[0], body)
    }

    /// A message has been handled; its acknowledgement goes with those of others, unless they have waited for long already.
    @inline(__always)
    private func handled(
        _ failures: Int, in turn: inout Turn, _ earned: inout [Earned], _ telling: inout Telling
    ) {
        turn.handled += 1
        turn.failures += failures
        guard let ticket = turn.batch.ticket else { return }
        earned.append((ticket, failures == 0 ? .success : .unspecifiedError))
        if telling.isDue(after: turn.handled) { tell(&earned) }
    }

    private func tell(_ earned: inout [Earned]) {
        guard !earned.isEmpty else { return }
        completed(earned)
        earned.removeAll(keepingCapacity: true)
    }

    private func nextTurn() -> Next {
        let (next, another) = state.withLock { state -> (Next, UnsafeContinuation<Void, Never>?) in
            if state.isStopped { return (.stopped, nil) }
            // Lanes that are ready have messages.
            guard let lane = state.ready.popFirst(), let batch = lane.batches.popFirst() else { return (.none, nil) }
            let turn = Turn(lane: lane, batch: batch, length: lane.turnLength)
            // Each worker that finds work wakes the next: nobody waits behind a handler that takes long.
            return (.turn(turn), state.ready.isEmpty ? nil : state.idle.popLast())
        }
        another?.resume()
        return next
    }

    private func untilReady() async {
        await withUnsafeContinuation { continuation in
            let goOn = state.withLock { state in
                if state.isStopped || !state.ready.isEmpty { return true }
                state.idle.append(continuation)
                return false
            }
            if goOn { continuation.resume() }
        }
    }

    private func finish(_ turn: consuming Turn, took: Duration) {
        let lane = turn.lane
        let (handled, failures) = (turn.handled, turn.failures)
        let batch = turn.batch
        let isDone = batch.isEmpty
        if isDone { batch.removeAll() }
        let (queued, dropped) = state.withLock { state -> (Int, Deque<Batch>?) in
            if took < Self.quick {
                lane.turnLength = min(lane.turnLength * 2, Self.longestTurn)
            } else if took > Self.slow {
                lane.turnLength = max(1, lane.turnLength / 8)
            }
            state.counters.queued -= handled
            state.counters.handled += handled
            state.counters.failures += failures
            if !isDone {
                lane.batches.prepend(batch)
            } else if state.spares.count < (batch.capacity > 16 ? Self.largeSpares : Self.smallSpares) {
                state.spares.append(batch)
            }
            if state.isStopped { return (state.counters.queued, Self.clear(lane, &state)) }
            if lane.batches.isEmpty {
                lane.isScheduled = false
            } else {
                state.ready.append(lane)
            }
            return (state.counters.queued, nil)
        }
        _ = dropped
        turnDone(queued)
    }

    // MARK: Handlers

    /// - Returns: how many handlers threw.
    private func handle(_ message: MQTTMessage, by handlers: [HandlerEntry]) async -> Int {
        var failures = 0
        for handler in handlers where !handler.isCancelled {
            do {
                switch handler.action {
                case .concurrent(let body): try await Self.run(body, message)
                case .blocking(let body): try await NIOThreadPool.singleton.runIfActive { try body(message) }
                case .onReceipt: break
                }
            } catch {
                failures += failed(error, message)
            }
        }
        return failures
    }

    /// - Returns: 1, or 0 for a handler that merely was cancelled.
    private func failed(_ error: any Error, _ message: MQTTMessage) -> Int {
        if error is CancellationError { return 0 }
        logger.error("a handler threw", metadata: ["topic": "\(message.topic)", "error": "\(error)"])
        notify(.handlerFailed(topic: message.topic, error: error))
        return 1
    }
}
