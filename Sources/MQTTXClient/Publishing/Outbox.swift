internal import MQTTCore
internal import MQTTNetwork
internal import NIOCore
internal import Synchronization

/// Where any task hands in what has to be sent, and the event loop takes it out: publishes of all tasks go into one
/// buffer under a short lock and leave in one write per turn of the event loop.
final class Outbox: Sendable {
    private let state: Mutex<OutboxState>
    private let eventLoop: any EventLoop
    private let connection: NIOLoopBoundBox<PacketConnection?>
    /// DISCONNECT was written: nothing may follow it on this connection (MQTT-3.14.4-1).
    private let isSealed: NIOLoopBoundBox<Bool>
    /// Memory for the completions of the next read: as large arrays, made anew for each, they had malloc tidy up.
    private let spare: NIOLoopBoundBox<[OutboxState.Completion]>
    private let notify: @Sendable (Notice) -> Void
    /// Of one message, in bytes.
    let largestPayload: Int
    /// Above so many bytes of answers that the broker has not taken, nothing more is read that would lead to others.
    private let largestAnswers: Int
    private let nextWaiterID = Atomic<UInt64>(0)
    /// Calls of a higher layer that wait for a message.
    let pendingCalls = Atomic<Int>(0)

    /// Calls and messages in flight up to which everything can come to wait for a delayed TCP acknowledgement: a broker with
    /// Nagle's algorithm on holds small packets back until then. With more, something is always on its way.
    private static let few = 24
    /// A message that is in flight for so long, or twice that, takes long.
    private static let patience = TimeAmount.milliseconds(50)
    private static let spareCompletions = 1024

    init(
        limits: QueueLimits, largestPayload: Int, largestAnswers: Int, eventLoop: any EventLoop,
        notify: @escaping @Sendable (Notice) -> Void
    ) {
        self.largestPayload = largestPayload
        self.largestAnswers = largestAnswers
        state = Mutex(OutboxState(limits: limits))
        self.eventLoop = eventLoop
        connection = .makeBoxSendingValue(nil, eventLoop: eventLoop)
        isSealed = .makeBoxSendingValue(false, eventLoop: eventLoop)
        spare = .makeBoxSendingValue([], eventLoop: eventLoop)
        self.notify = notify
    }

    // MARK: For any task

    /// What became of a message that was offered.
    enum Offer {
        /// QoS 0, on its way to the socket: done.
        case written
        /// In flight or queued: the receipt will tell.
        case taken(PublishReceipt)
        /// The queue is full: there may be room later, as ``submit(_:)`` waits for.
        case full(PublishReceipt)
    }

    /// Sends a message at QoS 0 if nothing is before it; never waits.
    ///
    /// - Returns: whether it is on its way to the socket, and so done.
    func tryWrite(
        _ topic: String, _ payload: ByteBuffer, retain: Bool, _ properties: Properties
    ) throws(MQTTXError) -> Bool {
        let (isWritten, needsFlush) = try state.withLock { state throws(MQTTXError) -> (Bool, Bool) in
            guard try state.tryWrite(topic, payload, retain: retain, properties) else { return (false, false) }
            return (true, Self.claimFlush(&state))
        }
        if needsFlush { scheduleFlush() }
        return isWritten
    }

    /// Sends a message, or queues it; never waits.
    func offer(_ publish: consuming Publish) throws(MQTTXError) -> Offer {
        let message = PublishReceipt(publish, isWatched: true)
        // The common case completes nothing.
        let (isSent, needsFlush, needsWatch) = try state.withLock { state throws(MQTTXError) -> (Bool, Bool, Bool) in
            guard try state.trySend(message) else { return (false, false, false) }
            return (true, Self.claimFlush(&state), state.watch.begin())
        }
        if needsFlush { scheduleFlush() }
        if needsWatch { scheduleWatch() }
        if isSent { return .taken(message) }
        // What is written is checked there.
        try TopicName.validate(message.topic)
        message.takesLong()
        return try offerAgain(message)
    }

    private func offerAgain(_ message: PublishReceipt) throws(MQTTXError) -> Offer {
        switch access({ $0.submit(message, completions: &$1) }) {
        case .written: .written
        case .taken: .taken(message)
        case .refused(let error): throw error
        case .full: .full(message)
        }
    }

    /// Sends a message, or queues it, once there is room.
    ///
    /// - Returns: its receipt, or nil if it is done.
    func submit(_ message: PublishReceipt) async throws -> PublishReceipt? {
        while true {
            try await waitForRoom()
            switch try offerAgain(message) {
            case .written: return nil
            case .taken: return message
            case .full: continue
            }
        }
    }

    /// - Returns: false when there is no connection.
    func request(_ request: PendingRequest) throws(MQTTXError) -> Bool {
        let (result, needsFlush) = state.withLock { state -> (Result<Bool, MQTTXError>, Bool) in
            do throws(MQTTXError) {
                return (.success(try state.request(request)), Self.claimFlush(&state))
            } catch {
                return (.failure(error), false)
            }
        }
        if needsFlush { scheduleFlush() }
        return try result.get()
    }

    /// Waits until nothing waits and nothing is in flight.
    func drained() async {
        await withUnsafeContinuation { continuation in
            let isDrained = state.withLock { state in
                if state.isDrained { return true }
                state.drainWaiters.append(continuation)
                return false
            }
            if isDrained { continuation.resume() }
        }
    }

    /// Whether the broker owes us an answer, or a peer does.
    var awaitsAnswer: Bool { state.withLock { $0.awaitsAnswer } || pendingCalls.load(ordering: .relaxed) > 0 }

    /// Whether the broker sends without taking what it is answered: then no more is read.
    var isBlocked: Bool { unreadAnswers > largestAnswers }

    var unreadAnswers: Int { state.withLock { $0.output.unreadAnswers } }

    var inFlightCount: Int { state.withLock { $0.flight.count } }

    /// How many messages and calls the broker or a peer has, beside those that so many tasks have just been told of.
    func atWork(besides count: Int) -> Int { max(inFlightCount, pendingCalls.load(ordering: .relaxed) - count) }

    var snapshot: (statistics: OutboxStatistics, queued: Int, inFlight: Int) {
        state.withLock { ($0.statistics, $0.waiting.count, $0.flight.count) }
    }

    private func waitForRoom() async throws {
        let id = nextWaiterID.add(1, ordering: .relaxed).newValue
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let isWaiting = state.withLock { state in
                    if Task.isCancelled || state.waiting.isEmpty { return false }
                    if case .stopped = state.phase { return false }
                    state.roomWaiters.append(RoomWaiter(id: id, continuation: continuation))
                    return true
                }
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> RoomWaiter? in
                guard let index = state.roomWaiters.firstIndex(where: { $0.id == id }) else { return nil }
                return state.roomWaiters.remove(at: index)
            }
            waiter?.continuation.resume()
        }
        try Task.checkCancellation()
    }

    // MARK: For the connection, on the event loop

    /// The broker has accepted: what is in flight and what waits goes out after what `first` sends.
    func connected(
        _ connection: PacketConnection, server: ServerCapabilities, maximumAliases: Int, first: () -> Void
    ) -> Bool {
        self.connection.value = connection
        isSealed.value = false
        var sessionLost = false
        access { state, completions in
            state.connected(server, maximumAliases: maximumAliases, &completions)
            sessionLost = completions.sessionLost
        }
        first()
        access { state, completions in state.pump(&completions) }
        return sessionLost
    }

    func seek() { state.withLock { $0.phase = .seeking } }

    func disconnected() {
        connection.value = nil
        access { $0.disconnected(&$1) }
    }

    func stop(_ error: MQTTXError) { access { $0.stop(error, &$1) } }

    /// Takes the acknowledgements of one read cycle.
    ///
    /// - Returns: whether each SUBACK and UNSUBACK was an answer to what was asked.
    func acknowledged(_ packets: [Packet]) -> Bool {
        var completions = OutboxState.Completions(receipts: spare.value)
        spare.value = []
        let areAnswers = access(&completions) { state, completions in
            for packet in packets { state.acknowledged(packet, &completions) }
            state.pump(&completions)
            return !completions.wrongAnswer
        }
        completions.receipts.removeAll(keepingCapacity: completions.receipts.count <= Self.spareCompletions)
        spare.value = completions.receipts
        return areAnswers
    }

    /// Adds our acknowledgements to the next write, which is the caller's to ask for: ``flush()``.
    func acknowledge(_ nextReady: () -> IncomingFlight.Ready?) {
        guard let first = nextReady() else { return }
        state.withLock { state in
            var next = Optional(first)
            while let ready = next {
                state.acknowledge(ready.type, ready.packetID, ready.reasonCode)
                next = nextReady()
            }
        }
    }

    /// Adds PUBCOMP, PINGREQ or AUTH to the next write.
    func write(_ packet: Packet) {
        let needsFlush = state.withLock { state in
            state.write(packet)
            return Self.claimFlush(&state)
        }
        if needsFlush { scheduleFlush() }
    }

    /// Takes over the next flush: nobody else schedules one until the caller has flushed, or scheduled it.
    ///
    /// - Returns: false if one is scheduled already.
    func takeOverFlush() -> Bool {
        state.withLock { state in
            defer { state.isFlushScheduled = true }
            return !state.isFlushScheduled
        }
    }

    /// Hands the bytes of all packets so far to the socket.
    ///
    /// - Parameter last: a DISCONNECT to put behind them, after which nothing is written any more on this connection.
    /// - Returns: when the socket took them; nil if there was nothing.
    @discardableResult
    func flush(last: Disconnect? = nil) -> EventLoopFuture<Void>? {
        eventLoop.assertInEventLoop()
        let connection = isSealed.value ? nil : self.connection.value
        let (taken, inFlight) = state.withLock { state -> (WriteBuffer.Write?, Int) in
            state.isFlushScheduled = false
            guard connection != nil else { return (nil, 0) }
            if let last { state.write(.disconnect(last)) }
            return (state.output.isEmpty ? nil : state.output.take(), state.flight.count)
        }
        if last != nil { isSealed.value = true }
        guard let connection else { return nil }
        // Also when nothing is written, for what was read: the kernel does not acknowledge every size of packet at the read.
        defer {
            if inFlight + pendingCalls.load(ordering: .relaxed) <= Self.few { connection.acknowledgeQuickly() }
        }
        guard let taken else { return nil }
        let promise = eventLoop.makePromise(of: Void.self)
        connection.write(taken.bytes, promise: promise)
        promise.futureResult.assumeIsolated().whenSuccess { self.written(taken, by: connection) }
        return promise.futureResult
    }

    private func written(_ write: WriteBuffer.Write, by connection: PacketConnection) {
        guard self.connection.value === connection else { return }
        access { state, completions in
            state.output.written(write)
            state.pump(&completions)
        }
    }

    // MARK: Inside

    private func access<T: Sendable>(_ body: (inout OutboxState, inout OutboxState.Completions) -> T) -> T {
        var completions = OutboxState.Completions()
        return access(&completions, body)
    }

    /// Changes the state, then completes what that completed, outside the lock.
    private func access<T: Sendable>(
        _ completions: inout OutboxState.Completions, _ body: (inout OutboxState, inout OutboxState.Completions) -> T
    ) -> T {
        let (result, needsFlush) = state.withLock { state in
            let result = body(&state, &completions)
            return (result, Self.claimFlush(&state))
        }
        if needsFlush { scheduleFlush() }
        for completion in completions.receipts { completion.receipt.complete(completion.outcome) }
        for other in completions.others {
            switch other {
            case .answered(let request, let result): request.answered(result)
            case .takesLong(let receipt): receipt.takesLong()
            case .room(let waiter): waiter.continuation.resume()
            case .drained(let continuation): continuation.resume()
            case .failed(let topic, let error): notify(.publishFailed(topic: topic, error: error))
            }
        }
        if completions.lostMessages > 0 { notify(.messagesLost(count: completions.lostMessages)) }
        return result
    }

    private static func claimFlush(_ state: inout OutboxState) -> Bool {
        guard !state.isFlushScheduled, !state.output.isEmpty else { return false }
        state.isFlushScheduled = true
        return true
    }

    /// Looks for messages that the broker does not acknowledge soon, until each that was sent has been looked at.
    private func scheduleWatch() {
        let look = eventLoop.scheduleTask(in: Self.patience) {
            let (messages, goesOn) = self.state.withLock { $0.look() }
            for message in messages { message.takesLong() }
            if goesOn { self.scheduleWatch() }
        }
        // The event loop was shut down: nobody looks any more.
        look.futureResult.whenFailure { _ in
            for message in self.state.withLock({ $0.stopLooking() }) { message.takesLong() }
        }
    }

    /// Flushes when what the event loop has to do already is done.
    func scheduleFlush() { eventLoop.execute { self.flush() } }
}
