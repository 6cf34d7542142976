internal import DequeModule
package import MQTTCore
package import MQTTNetwork
internal import NIOCore
internal import Synchronization

/// The receive path: from a PUBLISH to its lane, and from handlers that returned to acknowledgements in order.
///
/// Belongs to the client's event loop and outlives connections.
package final class Inbound {
    /// What a PUBLISH led to.
    package enum Result {
        case taken
        case violation(MQTTXError)
    }

    private struct Parked {
        let message: MQTTMessage
        let ticket: IncomingFlight.Ticket?
        let deadline: ContinuousClock.Instant
    }

    private static let largestLaneCount = 8_192
    private static let largestParkedCount = 1_000
    private static let largestParkedBytes = 1024 * 1024
    private static let parkingTime = Duration.seconds(30)
    /// What one waiting message costs beside its payload.
    private static let overhead = 160

    let registry: SubscriptionRegistry
    let dispatch: DispatchQueue
    let mode: AcknowledgementMode
    package var incoming: IncomingFlight
    private(set) var statistics = ClientStatistics()

    private let maxMessages: Int
    private let maxBytes: Int
    private let notify: @Sendable (Notice) -> Void
    private let makeAcknowledger: (IncomingFlight.Ticket) -> Acknowledger

    private var lanes: [TopicKey: TopicLane] = [:]
    private var laneLimit = Inbound.largestLaneCount
    private var lastLane: TopicLane?
    private var batch: [(lane: TopicLane, delivery: Delivery)] = []
    private var batchBytes = 0
    private var pin: ReadPin?
    /// `bytesRead` of the connection when the read came that `pin` accounts for.
    private var pinnedRead: UInt64 = 0
    private var parked = Deque<Parked>()
    private var parkedBytes = 0
    private var isOverReserve = false

    package init(
        registry: SubscriptionRegistry, dispatch: DispatchQueue, config: MQTTConfig,
        notify: @escaping @Sendable (Notice) -> Void,
        makeAcknowledger: @escaping (IncomingFlight.Ticket) -> Acknowledger
    ) {
        self.registry = registry
        self.dispatch = dispatch
        mode = config.acknowledgement
        incoming = IncomingFlight(receiveMaximum: Int(config.receiveMaximum))
        maxMessages = max(1, config.messageQueueMaxSize)
        maxBytes = max(1, config.messageQueueMaxBytes)
        self.notify = notify
        self.makeAcknowledger = makeAcknowledger
    }

    // MARK: A message comes

    package func receive(_ publish: Publish, from connection: PacketConnection) -> Result {
        statistics.messagesReceived += 1
        var ticket: IncomingFlight.Ticket?
        if publish.qos != .atMostOnce {
            switch incoming.receive(packetID: publish.packetID, qos: publish.qos) {
            case .deliver(let new):
                ticket = new
            case .duplicate:
                return .taken
            case .quotaExceeded:
                return .violation(
                    MQTTXError(
                        .protocolViolation, "the broker sent more unacknowledged messages than the Receive Maximum",
                        reasonCode: .receiveMaximumExceeded))
            }
        } else if isOverReserve {
            drop(publish.topic, .atMostOnce, "handlers are too slow and the reserve is full")
            return .taken
        }
        var acknowledger: Acknowledger?
        if let ticket {
            switch mode {
            case .manual: acknowledger = makeAcknowledger(ticket)
            case .onReceipt: incoming.complete(ticket)
            case .afterHandler, .afterHandlerStrict: break
            }
        }
        let message = MQTTMessage(
            topic: publish.topic, payload: publish.payload, qos: publish.qos, retain: publish.retain,
            dup: publish.dup, properties: publish.properties,
            packetID: publish.qos == .atMostOnce ? nil : publish.packetID, acknowledger: acknowledger)
        hand(message, ticket, connection)
        return .taken
    }

    /// A payload beyond the limit was skipped: it is acknowledged, since it would come again for ever.
    func skipped(_ publish: SkippedPublish, topic: String) {
        statistics.payloadsSkipped += 1
        notify(.payloadSkipped(topic: topic, size: publish.payloadSize))
        guard publish.qos != .atMostOnce,
            case .deliver(let ticket) = incoming.receive(packetID: publish.packetID, qos: publish.qos)
        else { return }
        incoming.complete(ticket)
    }

    private func hand(_ message: MQTTMessage, _ ticket: IncomingFlight.Ticket?, _ connection: PacketConnection) {
        let lane = lane(of: message.topic)
        let handlers: [HandlerEntry]
        if message.properties.isEmpty || lane.route.count < 2 {
            handlers = lane.handlers
            for handler in lane.handlersOnReceipt { handler.receive(message) }
            if handlers.isEmpty, lane.handlersOnReceipt.isEmpty {
                park(message, ticket)
                return
            }
        } else {
            let selected = select(lane.route, identifiers: message.properties.subscriptionIdentifiers)
            handlers = selected.filter { !$0.isOnReceipt }
            for handler in selected { handler.receive(message) }
        }
        if handlers.isEmpty {
            // Accepted on receipt.
            statistics.messagesHandled += 1
            if let ticket { incoming.complete(ticket) }
            return
        }
        let owed = mode == .afterHandler || mode == .afterHandlerStrict ? ticket : nil
        batch.append(
            (lane, Delivery(message: message, handlers: handlers, ticket: owed, pin: pin(message.payload, connection))))
        batchBytes += Self.overhead
        if batch.count >= 256 { handOver() }
    }

    /// One account for all messages of one read buffer, and one for a message that was put together from several.
    private func pin(_ payload: ByteBuffer, _ connection: PacketConnection) -> ReadPin? {
        if let pin, pinnedRead == connection.bytesRead { return pin }
        // Such a message comes first in a read, if at all.
        if let read = connection.readBuffer, !payload.isSlice(of: read) {
            return ReadPin(bytes: payload.storageCapacity, account: dispatch.pinned)
        }
        pinnedRead = connection.bytesRead
        let capacity = connection.readBuffer?.storageCapacity ?? 0
        let pin = ReadPin(bytes: capacity, account: dispatch.pinned)
        self.pin = pin
        return pin
    }

    private func select(_ routes: [Route], identifiers: [UInt32]) -> [HandlerEntry] {
        let chosen = routes.filter { identifiers.contains($0.identifier) }
        let handlers = (chosen.isEmpty ? routes : chosen).flatMap(\.handlers)
        return handlers.count < 2 ? handlers : handlers.sorted { $0.id < $1.id }
    }

    private func lane(of topic: String) -> TopicLane {
        let generation = registry.generation.load(ordering: .acquiring)
        if let lastLane, lastLane.generation == generation, lastLane.topic.hasSameBytes(as: topic) { return lastLane }
        let lane: TopicLane
        if let known = lanes[TopicKey(topic: topic)] {
            lane = known
        } else {
            if lanes.count >= laneLimit { removeIdleLanes() }
            lane = TopicLane(topic: topic)
            lanes[TopicKey(topic: topic)] = lane
        }
        if lane.generation != generation {
            lane.generation = generation
            lane.route = registry.routes(for: topic)
            let all = lane.route.flatMap(\.handlers).sorted { $0.id < $1.id }
            lane.handlers = all.filter { !$0.isOnReceipt }
            lane.handlersOnReceipt = all.filter(\.isOnReceipt)
        }
        lastLane = lane
        return lane
    }

    private func removeIdleLanes() {
        handOver()
        lanes = lanes.filter { !dispatch.isIdle($1) }
        lastLane = nil
        // Busy lanes are bounded by the queue; looking at them all again pays only once they have doubled.
        laneLimit = max(Self.largestLaneCount, lanes.count * 2)
    }

    private func handOver() {
        guard !batch.isEmpty else { return }
        dispatch.append(batch)
        batch.removeAll(keepingCapacity: true)
    }

    // MARK: The end of a read

    /// Hands the batch over and says whether reading should stop.
    ///
    /// - Parameter awaitsAnswer: whether an operation of ours waits for the broker; then a reserve is read into.
    package func readCompleted(awaitsAnswer: () -> Bool) -> Bool {
        handOver()
        pin = nil
        return mustPause(awaitsAnswer: awaitsAnswer)
    }

    func mustPause(awaitsAnswer: () -> Bool) -> Bool {
        let load = load
        guard load.messages >= maxMessages || load.bytes >= maxBytes else {
            isOverReserve = false
            return false
        }
        isOverReserve = load.messages >= 2 * maxMessages || load.bytes >= 2 * maxBytes
        return !awaitsAnswer() || load.messages >= 3 * maxMessages || load.bytes >= 3 * maxBytes
            || (isOverReserve && incoming.owedCount > 0)
    }

    private var load: (messages: Int, bytes: Int) {
        let queued = dispatch.counters.queued
        return (queued, dispatch.pinned.total.load(ordering: .relaxed) + queued * Self.overhead)
    }

    /// Whether so much has been handled that reading may go on.
    var hasRoomAgain: Bool {
        let load = load
        return load.messages <= maxMessages / 2 && load.bytes <= maxBytes / 2
    }

    // MARK: Parking

    private func park(_ message: MQTTMessage, _ ticket: IncomingFlight.Ticket?) {
        statistics.messagesParked += 1
        notify(.messageParked(topic: message.topic))
        parked.append(
            Parked(message: message, ticket: ticket, deadline: ContinuousClock.now + Self.parkingTime))
        parkedBytes += message.payload.storageCapacity
        while parked.count > Self.largestParkedCount || (parkedBytes > Self.largestParkedBytes && parked.count > 1) {
            giveUp(parked.removeFirst(), "too many messages wait for a handler")
        }
    }

    private func giveUp(_ message: Parked, _ reason: String) {
        parkedBytes -= message.message.payload.storageCapacity
        if let ticket = message.ticket { incoming.complete(ticket) }
        drop(message.message.topic, message.message.qos, reason)
    }

    /// When the oldest parked message has waited long enough.
    var parkingDeadline: ContinuousClock.Instant? { parked.first?.deadline }

    func giveUpParked(now: ContinuousClock.Instant) {
        while let first = parked.first, first.deadline <= now {
            giveUp(parked.removeFirst(), "no handler was registered in time")
        }
    }

    /// Handlers were registered: parked messages may have one now.
    func handlersChanged(_ connection: PacketConnection) {
        guard !parked.isEmpty else { return }
        let waiting = parked
        parked.removeAll()
        for message in waiting {
            let lane = lane(of: message.message.topic)
            if lane.handlers.isEmpty, lane.handlersOnReceipt.isEmpty {
                parked.append(message)
            } else {
                parkedBytes -= message.message.payload.storageCapacity
                hand(message.message, message.ticket, connection)
            }
        }
        handOver()
    }

    // MARK: Connections

    func connectionStarted(sessionPresent: Bool) {
        incoming.connectionStarted(sessionPresent: sessionPresent)
        // What the broker sends again is not kept twice.
        for message in parked where message.message.qos == .atLeastOnce {
            parkedBytes -= message.message.payload.storageCapacity
        }
        parked.removeAll { $0.message.qos == .atLeastOnce }
    }

    func countEarlyAcknowledgement() { statistics.acknowledgedEarly += 1 }

    private func drop(_ topic: String, _ qos: QoS, _ reason: String) {
        statistics.messagesDropped += 1
        notify(.messageDropped(topic: topic, qos: qos, reason: reason))
    }
}

extension HandlerEntry {
    /// Runs a handler of the receive path; others run on workers.
    fileprivate func receive(_ message: MQTTMessage) {
        if case .onReceipt(let body, _) = action, !isCancelled { body(message) }
    }
}

extension ByteBuffer {
    /// Whether the readable bytes lie in the other's memory.
    fileprivate func isSlice(of other: ByteBuffer) -> Bool {
        withUnsafeReadableBytes { own in
            other.withVeryUnsafeBytes { other in
                guard let address = own.baseAddress, let start = other.baseAddress else { return true }
                return address >= start && address <= start + other.count
            }
        }
    }
}
