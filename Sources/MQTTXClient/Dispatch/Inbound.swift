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
    private static let largestParkedCount = 10_000
    /// Messages that are handed over before the next read of the same turn is looked at.
    private static let worthwhile = 16
    private static let parkingTime = Duration.seconds(30)

    let registry: SubscriptionRegistry
    let dispatch: DispatchQueue
    let mode: AcknowledgementMode
    // Unchecked where it is asked for every message: on the event loop alone, and nothing is called with access open.
    @exclusivity(unchecked)
    package var incoming: IncomingFlight
    @exclusivity(unchecked)
    private(set) var statistics = ClientStatistics()

    private let bounds: QueueBounds
    private let largestParkedBytes: Int
    private let notify: @Sendable (Notice) -> Void
    private let makeAcknowledger: (IncomingFlight.Ticket) -> Acknowledger

    private var lanes: [UTF8Key: TopicLane] = [:]
    /// With one worker all messages are handled in the order received, whatever their topics.
    private let onlyLane: TopicLane?
    private var laneLimit = Inbound.largestLaneCount
    @exclusivity(unchecked)
    private var recentLanes = RecentLanes()
    /// Where the next message goes if it is like the last one.
    @exclusivity(unchecked)
    private var open: OpenBatch?
    /// Lanes to which something came since the last hand-over.
    @exclusivity(unchecked)
    private var touched: [TopicLane] = []
    @exclusivity(unchecked)
    private var spares: [Batch] = []
    /// The account of the read buffer that messages come from, and which one that is.
    @exclusivity(unchecked)
    private var pin: ReadPin?
    @exclusivity(unchecked)
    private var pinnedRead: UInt64 = 0
    /// Messages since the last hand-over.
    @exclusivity(unchecked)
    private var received = 0
    private var parked = Deque<Parked>()
    private var parkedBytes = 0
    @exclusivity(unchecked)
    private var isOverReserve = false
    /// Whether more than the reserve was taken all the same, since it may not be dropped.
    private var exceedsReserve = false

    package init(
        registry: SubscriptionRegistry, dispatch: DispatchQueue, config: MQTTConfig,
        notify: @escaping @Sendable (Notice) -> Void,
        makeAcknowledger: @escaping (IncomingFlight.Ticket) -> Acknowledger
    ) {
        self.registry = registry
        self.dispatch = dispatch
        mode = config.acknowledgement
        incoming = IncomingFlight()
        bounds = dispatch.bounds
        largestParkedBytes = max(1, config.messageQueueMaxBytes)
        onlyLane = config.numWorkers == 1 ? TopicLane(topic: "") : nil
        self.notify = notify
        self.makeAcknowledger = makeAcknowledger
    }

    // MARK: A message comes

    /// - Parameter isApart: whether the payload lies in memory of its own, not in that of the present read.
    package func receive(
        _ publish: consuming Publish, isApart: Bool = false, from connection: PacketConnection
    ) -> Result {
        statistics.messagesReceived += 1
        var ticket: IncomingFlight.Ticket?
        if publish.qos != .atMostOnce {
            switch incoming.receive(packetID: publish.packetID, qos: publish.qos) {
            case .deliver(let new):
                ticket = new
                if isOverReserve { exceedsReserve = true }
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
        hand(MQTTMessage(publish, acknowledger: acknowledger), ticket, isApart: isApart, connection)
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

    private func hand(
        _ message: consuming MQTTMessage, _ ticket: IncomingFlight.Ticket?, isApart: Bool,
        _ connection: PacketConnection
    ) {
        let owed = mode == .afterHandler || mode == .afterHandlerStrict ? ticket : nil
        if !isApart, connection.bytesRead == pinnedRead, let open, open.takes(message, owed: owed, registry) {
            received += 1
            if open.append(message, owed: owed) { handOver() }
            return
        }
        let lane = lane(of: message.publish.topic)
        if lane.isPlain, onlyLane == nil {
            return append(message, owed: owed, chosen: nil, to: lane, isApart: isApart, connection)
        }
        var chosen: [HandlerEntry]?
        if lane.route.count < 2 || message.publish.properties.isEmpty {
            if !lane.handlersOnReceipt.isEmpty {
                for handler in lane.handlersOnReceipt { handler.receive(message) }
            } else if lane.handlers.isEmpty {
                return park(message, ticket)
            }
        } else {
            let selected = select(lane.route, message.properties)
            chosen = selected.filter { !$0.isOnReceipt }
            for handler in selected { handler.receive(message) }
        }
        if chosen?.isEmpty ?? lane.handlers.isEmpty {
            // Accepted on receipt.
            statistics.messagesHandled += 1
            if let ticket { incoming.complete(ticket) }
            return
        }
        if let onlyLane {
            append(message, owed: owed, chosen: chosen ?? lane.handlers, to: onlyLane, isApart: isApart, connection)
        } else {
            append(message, owed: owed, chosen: chosen, to: lane, isApart: isApart, connection)
        }
    }

    private func append(
        _ message: consuming MQTTMessage, owed ticket: IncomingFlight.Ticket?, chosen: [HandlerEntry]?,
        to lane: TopicLane, isApart: Bool, _ connection: PacketConnection
    ) {
        if connection.bytesRead != pinnedRead {
            // Workers begin with what there is; for few messages, which are large, it is not worth waking them.
            if received >= Self.worthwhile { handOver() }
            pinnedRead = connection.bytesRead
            pin = ReadPin(bytes: connection.readCapacity, account: bounds.pinned)
        }
        let pin = isApart ? ReadPin(bytes: message.capacity, account: bounds.pinned) : pin
        let batch: Batch
        if let open = lane.incoming, open.takes(owed: ticket, chosen: chosen, pin: pin) {
            batch = open
        } else {
            batch = begin(lane, chosen, pin)
        }
        batch.append(message, owed: ticket)
        received += 1
        open = lane.isPlain && !isApart ? OpenBatch(batch, of: lane, owes: ticket != nil) : nil
        if batch.isFull { handOver() }
    }

    /// Opens a new batch for a lane.
    private func begin(_ lane: TopicLane, _ chosen: [HandlerEntry]?, _ pin: ReadPin?) -> Batch {
        if let filled = lane.incoming { lane.filled.append(filled) } else { touched.append(lane) }
        let batch = spares.popLast() ?? Batch()
        batch.begin(for: lane.handlers, chosen: chosen, pin: pin)
        lane.incoming = batch
        return batch
    }

    private func select(_ routes: [Route], _ properties: Properties) -> [HandlerEntry] {
        let chosen = routes.filter { properties.hasSubscriptionIdentifier($0.identifier) }
        let handlers = (chosen.isEmpty ? routes : chosen).flatMap(\.handlers)
        return handlers.count < 2 ? handlers : handlers.sorted { $0.id < $1.id }
    }

    private func lane(of topic: String) -> TopicLane {
        let generation = registry.generation.load(ordering: .acquiring)
        let recent = recentLanes.lane(of: topic)
        if let recent, recent.generation == generation { return recent }
        let lane = recent ?? knownLane(of: topic)
        if lane.generation != generation {
            // What waits to be handed over goes to the handlers of its time.
            if lane.incoming != nil { handOver() }
            lane.generation = generation
            lane.route = registry.routes(for: topic)
            let all = lane.route.flatMap(\.handlers).sorted { $0.id < $1.id }
            lane.handlers = all.filter { !$0.isOnReceipt }
            lane.handlersOnReceipt = all.filter(\.isOnReceipt)
            lane.isPlain = lane.route.count == 1 && !lane.handlers.isEmpty && lane.handlersOnReceipt.isEmpty
        }
        recentLanes.insert(lane, for: topic)
        return lane
    }

    private func knownLane(of topic: String) -> TopicLane {
        let key = UTF8Key(topic)
        if let known = lanes[key] { return known }
        if lanes.count >= laneLimit { removeIdleLanes() }
        let lane = TopicLane(topic: topic)
        lanes[key] = lane
        return lane
    }

    private func removeIdleLanes() {
        handOver()
        lanes = lanes.filter { !dispatch.isIdle($1) }
        recentLanes = RecentLanes()
        // Busy lanes are bounded by the queue; looking at them all again pays only once they have doubled.
        laneLimit = max(Self.largestLaneCount, lanes.count * 2)
    }

    private func handOver() {
        received = 0
        open = nil
        guard !touched.isEmpty else { return }
        dispatch.append(touched, spares: &spares)
        touched.removeAll(keepingCapacity: true)
    }

    // MARK: The end of a read

    /// Hands the batch over and says whether reading should stop.
    ///
    /// - Parameter awaitsAnswer: whether an operation of ours waits for the broker; then a reserve is read into.
    package func readCompleted(awaitsAnswer: () -> Bool) -> Bool {
        handOver()
        // The account lives on in the batches.
        pin = nil
        pinnedRead = 0
        return mustPause(awaitsAnswer: awaitsAnswer)
    }

    func mustPause(awaitsAnswer: () -> Bool) -> Bool {
        let queued = dispatch.counters.queued
        isOverReserve = false
        let isFull = bounds.isFull(queued: queued)
        if isFull, !awaitsAnswer() { return true }
        isOverReserve = isFull && bounds.isFull(2, queued: queued)
        if !isOverReserve { exceedsReserve = false }
        return isOverReserve && (incoming.owedCount > 0 || exceedsReserve)
    }

    /// Whether so much has been handled that reading may go on.
    var hasRoomAgain: Bool { bounds.hasRoomAgain(queued: dispatch.counters.queued) }

    // MARK: Parking

    private func park(_ message: MQTTMessage, _ ticket: IncomingFlight.Ticket?) {
        statistics.messagesParked += 1
        notify(.messageParked(topic: message.topic))
        let message = message.unshared()
        parked.append(
            Parked(message: message, ticket: ticket, deadline: ContinuousClock.now + Self.parkingTime))
        parkedBytes += message.payload.readableBytes
        while parked.count > Self.largestParkedCount || (parkedBytes > largestParkedBytes && parked.count > 1) {
            giveUp(parked.removeFirst(), "too many messages wait for a handler")
        }
    }

    private func giveUp(_ message: Parked, _ reason: String) {
        parkedBytes -= message.message.payload.readableBytes
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
                parkedBytes -= message.message.payload.readableBytes
                hand(message.message, message.ticket, isApart: true, connection)
            }
        }
        handOver()
    }

    // MARK: Connections

    /// - Parameter receiveMaximum: how many messages the broker may have unacknowledged.
    func connectionStarted(sessionPresent: Bool, receiveMaximum: Int) {
        incoming.connectionStarted(sessionPresent: sessionPresent)
        incoming.receiveMaximum = receiveMaximum
        // What the broker sends again is not kept twice.
        for message in parked where message.message.qos == .atLeastOnce {
            parkedBytes -= message.message.payload.readableBytes
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
