internal import DequeModule
package import Logging
package import MQTTCore
internal import NIOPosix
internal import Synchronization

/// Received messages between the event loop and the workers that run handlers: lanes of topics in a ring, handed over in
/// batches.
package final class DispatchQueue: Sendable {
    struct Counters: Sendable {
        var queued = 0
        var handled = 0
        var failures = 0
    }

    private struct State {
        var ready = Deque<TopicLane>()
        var idle: [UnsafeContinuation<Void, Never>] = []
        var isStopped = false
        var counters = Counters()
    }

    private static let largestChunk = 256
    private static let quick = Duration.microseconds(500)
    private static let slow = Duration.milliseconds(5)

    private let state = Mutex(State())
    let pinned = PinnedBytes()
    private let logger: Logger
    /// Called on a worker's thread with the acknowledgements that handlers have earned.
    private let completed: @Sendable ([(IncomingFlight.Ticket, ReasonCode)]) -> Void
    private let chunkDone: @Sendable () -> Void
    private let notify: @Sendable (Notice) -> Void

    package init(
        logger: Logger, notify: @escaping @Sendable (Notice) -> Void,
        completed: @escaping @Sendable ([(IncomingFlight.Ticket, ReasonCode)]) -> Void,
        chunkDone: @escaping @Sendable () -> Void
    ) {
        self.logger = logger
        self.notify = notify
        self.completed = completed
        self.chunkDone = chunkDone
    }

    var counters: Counters { state.withLock { $0.counters } }

    /// Hands over what came in one read.
    func append(_ batch: [(lane: TopicLane, delivery: Delivery)]) {
        let woken = state.withLock { state -> ArraySlice<UnsafeContinuation<Void, Never>> in
            state.counters.queued += batch.count
            for (lane, delivery) in batch {
                lane.queue.append(delivery)
                if !lane.isScheduled {
                    lane.isScheduled = true
                    state.ready.append(lane)
                }
            }
            let woken = state.idle.suffix(state.ready.count)
            state.idle.removeLast(woken.count)
            return woken
        }
        for worker in woken { worker.resume() }
    }

    /// Whether no message of the lane waits or is being handled.
    func isIdle(_ lane: TopicLane) -> Bool {
        state.withLock { _ in !lane.isScheduled && lane.queue.isEmpty }
    }

    /// Ends the workers once their present handlers have returned; what still waits is not handled.
    func stop() {
        let (idle, dropped) = state.withLock { state in
            state.isStopped = true
            var dropped: [Deque<Delivery>] = []
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

    private static func clear(_ lane: TopicLane, _ state: inout State) -> Deque<Delivery> {
        state.counters.queued -= lane.queue.count
        lane.isScheduled = false
        defer { lane.queue = [] }
        return lane.queue
    }

    func start() { state.withLock { $0.isStopped = false } }

    /// One worker: runs handlers until ``stop()``.
    package func work() async {
        var tickets: [(IncomingFlight.Ticket, ReasonCode)] = []
        let clock = ContinuousClock()
        while let (lane, chunk) = await nextChunk() {
            let start = clock.now
            var failures = 0
            for delivery in chunk {
                let thrown = await handle(delivery)
                failures += thrown
                if let ticket = delivery.ticket {
                    tickets.append((ticket, thrown == 0 ? .success : .unspecifiedError))
                    if tickets.count >= 32 || chunk.count == 1 {
                        completed(tickets)
                        tickets.removeAll(keepingCapacity: true)
                    }
                }
            }
            if !tickets.isEmpty {
                completed(tickets)
                tickets.removeAll(keepingCapacity: true)
            }
            finish(lane, count: chunk.count, failures: failures, took: start.duration(to: clock.now))
        }
    }

    private func nextChunk() async -> (TopicLane, [Delivery])? {
        while true {
            let next = state.withLock { state -> (TopicLane, [Delivery])?? in
                if state.isStopped { return .some(nil) }
                guard let lane = state.ready.popFirst() else { return nil }
                let count = min(lane.chunk, lane.queue.count)
                let chunk = Array(lane.queue.prefix(count))
                lane.queue.removeFirst(count)
                return (lane, chunk)
            }
            if let next { return next }
            await withUnsafeContinuation { continuation in
                let goOn = state.withLock { state in
                    if state.isStopped || !state.ready.isEmpty { return true }
                    state.idle.append(continuation)
                    return false
                }
                if goOn { continuation.resume() }
            }
        }
    }

    private func finish(_ lane: TopicLane, count: Int, failures: Int, took: Duration) {
        let (woken, dropped) = state.withLock { state -> (UnsafeContinuation<Void, Never>?, Deque<Delivery>?) in
            if took < Self.quick {
                lane.chunk = min(lane.chunk * 2, Self.largestChunk)
            } else if took > Self.slow {
                lane.chunk = max(1, lane.chunk / 8)
            }
            state.counters.queued -= count
            state.counters.handled += count
            state.counters.failures += failures
            if state.isStopped { return (nil, Self.clear(lane, &state)) }
            if lane.queue.isEmpty {
                lane.isScheduled = false
                return (nil, nil)
            }
            state.ready.append(lane)
            return (state.ready.count > 1 ? state.idle.popLast() : nil, nil)
        }
        woken?.resume()
        _ = dropped
        chunkDone()
    }

    /// - Returns: how many handlers threw.
    private func handle(_ delivery: Delivery) async -> Int {
        var failures = 0
        for handler in delivery.handlers where !handler.isCancelled {
            do {
                switch handler.action {
                case .concurrent(let body):
                    try await body(delivery.message)
                case .blocking(let body):
                    let message = delivery.message
                    try await NIOThreadPool.singleton.runIfActive { try body(message) }
                case .onReceipt:
                    break
                }
            } catch is CancellationError {
                continue
            } catch {
                failures += 1
                logger.error(
                    "a handler threw", metadata: ["topic": "\(delivery.message.topic)", "error": "\(error)"])
                notify(.handlerFailed(topic: delivery.message.topic, error: error))
            }
        }
        return failures
    }
}
