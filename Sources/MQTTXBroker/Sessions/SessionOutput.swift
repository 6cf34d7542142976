import MQTTCore
import NIOCore

/// A session's way out: what is queued, what is in flight, and the bytes that the next write takes.
struct SessionOutput {
    /// What putting a message in means for the one who put it there.
    struct Outcome {
        /// The connection whose event loop has to be told that there is something to write.
        var wake: ClientConnection?
        /// The publisher was entered in ``waiters``: it is to publish nothing until it is released.
        var holds = false
        /// Neither sent nor kept: there is no room, or the session is over.
        var isRefused = false
        /// Messages that gave way to it.
        var displaced = 0

        static var refused: Outcome { Outcome(isRefused: true) }
    }

    let limits: SessionLimits

    private(set) var connection: ClientConnection?
    private(set) var queue = DeliveryQueue()
    private(set) var flight: DeliveryFlight
    var retained = RetainedBacklog()
    private var pending: OutputBuffer
    private(set) var holding = Holding()
    private var isWakeUnderway = false
    /// The session ends with its present connection.
    var isTransient = false
    /// How many connections have had the session.
    private(set) var attachments: UInt64 = 0
    /// Over for good: nothing is taken any more.
    private(set) var isEnded = false
    /// What is entered in the account of all sessions.
    private var charged = 0

    init(limits: SessionLimits) {
        self.limits = limits
        // Large buffers are kept for the next turn of a busy client only.
        pending = OutputBuffer(largestSpare: 4 * limits.highWaterBytes)
        flight = DeliveryFlight(maximumBytes: limits.maximumInflightBytes)
    }

    // MARK: Putting in

    /// A message for this session.
    ///
    /// - Parameter publisher: who to hold when too much waits; nil for messages that nobody can be held for.
    mutating func put(
        _ publication: inout Publication, qos: QoS, retain: Bool, identifiers: [UInt32], group: SharedGroup?,
        publisher: ClientConnection?
    ) -> Outcome {
        guard !isEnded else { return .refused }
        if connection == nil {
            guard qos > .atMostOnce else { return .refused }
            return enqueueWithinLimits(
                Delivery(
                    message: publication.message(), qos: qos, retain: retain, identifiers: identifiers, group: group))
        }
        var displaced = 0
        if qos == .atMostOnce {
            if pending.count >= limits.highWaterBytes && (holding.isStalled || isOverflowing) { return .refused }
            let writer = PublishWriter(qos: qos, retain: retain, identifiers: identifiers)
            guard publication.write(writer, to: &pending) else { return .refused }
        } else {
            let delivery = Delivery(
                message: publication.message(), qos: qos, retain: retain, identifiers: identifiers, group: group)
            if queue.isEmpty && flight.hasRoom && pending.count < limits.highWaterBytes {
                guard send(delivery) else { return .refused }
            } else if holding.isStalled || isOverflowing {
                let outcome = enqueueWithinLimits(delivery)
                if outcome.isRefused { return outcome }
                displaced = outcome.displaced
            } else {
                queue.append(delivery)
            }
        }
        var outcome = outcome(publisher)
        outcome.displaced = displaced
        return outcome
    }

    /// Messages that nobody is held for and no limit drops: retained ones for new subscriptions, which come only as fast
    /// as the client takes them.
    mutating func putRetained(_ deliveries: [Delivery]) {
        guard !isEnded else { return }
        for delivery in deliveries {
            if delivery.qos > .atMostOnce {
                queue.append(delivery)
            } else {
                // Never behind what is published meanwhile.
                _ = pending.write(
                    PublishWriter(qos: .atMostOnce, retain: delivery.retain, identifiers: delivery.identifiers),
                    delivery.message)
            }
        }
        fill()
    }

    /// There is room for retained messages that new subscriptions wait for.
    var isRetainedDue: Bool { !retained.isEmpty && !isCongested }

    /// What is to be done for new subscriptions next; nil if nothing is, or the client has enough to take as it is.
    mutating func nextRetained(for taker: ClientConnection) -> RetainedBacklog.Step? {
        connection === taker && isRetainedDue ? retained.next() : nil
    }

    /// What the look-up of a filter has brought; it is due again if another connection has taken the session meanwhile.
    mutating func found(
        _ messages: [Message], _ filter: String, _ subscription: Subscription, by taker: ClientConnection
    ) {
        if connection === taker {
            retained.found(messages, filter, subscription)
        } else if !isEnded {
            retained.append(filter)
        }
    }

    private mutating func outcome(_ publisher: ClientConnection?) -> Outcome {
        var outcome = Outcome()
        if !isWakeUnderway {
            isWakeUnderway = true
            outcome.wake = connection
        }
        guard let publisher, isCongested, !holding.isStalled else { return outcome }
        if holding.isEmpty { outcome.wake = connection }
        holding.hold(publisher)
        outcome.holds = true
        return outcome
    }

    private var isCongested: Bool {
        pending.count + queue.bytes >= limits.highWaterBytes || queue.count >= limits.highWaterMessages
            || !queue.isEmpty && queue.bytes >= limits.maximumQueuedBytes
    }

    /// Too much waits even for a client that makes progress: of publishers that come and go, each can leave something.
    private var isOverflowing: Bool { pending.count + queue.bytes >= limits.overflowBytes }

    private var isDrained: Bool {
        pending.count + queue.bytes < limits.highWaterBytes / 4 && queue.count <= limits.highWaterMessages / 4
            && queue.bytes <= limits.maximumQueuedBytes / 4
    }

    /// Whether a connected client takes a message at once: the choice among members of a shared subscription.
    var isReady: Bool { connection != nil && queue.isEmpty && flight.hasRoom && !isCongested && !isEnded }

    private mutating func enqueueWithinLimits(_ delivery: Delivery) -> Outcome {
        var outcome = Outcome()
        if !hasRoom(for: delivery.message.cost) { queue.discardExpired() }
        while !hasRoom(for: delivery.message.cost) {
            guard limits.dropsOldest, !queue.isEmpty else {
                outcome.isRefused = true
                break
            }
            queue.removeFirst()
            outcome.displaced += 1
        }
        if !outcome.isRefused { queue.append(delivery) }
        settleAccount()
        return outcome
    }

    /// Lets go of queued messages of these topics.
    ///
    /// - Returns: how many there were.
    mutating func discardQueued(of topics: Set<UTF8Key>) -> Int {
        defer { settleAccount() }
        return queue.take { topics.contains(UTF8Key($0.message.topic)) }.count
    }

    private func hasRoom(for cost: Int) -> Bool {
        queue.count < limits.maximumQueuedMessages && queue.bytes + cost <= limits.maximumQueuedBytes
            && limits.account.hasRoom(for: queue.bytes + flight.bytes + cost - charged)
    }

    /// What is kept for a client that takes nothing at present counts against the limit of all sessions together.
    private mutating func settleAccount() {
        let owed = connection == nil || holding.isStalled ? queue.bytes + flight.bytes : 0
        guard owed != charged else { return }
        limits.account.add(owed - charged)
        charged = owed
    }

    // MARK: Writing

    /// Writes a message of QoS 1 or 2 and takes it in flight.
    private mutating func send(_ delivery: Delivery) -> Bool {
        let id = flight.add(delivery)
        let writer = PublishWriter(
            qos: delivery.qos, retain: delivery.retain, packetID: id, identifiers: delivery.identifiers)
        guard pending.write(writer, delivery.message) else {
            _ = flight.complete(id, from: delivery.qos == .exactlyOnce ? .awaitingPubrec : .awaitingPuback)
            return false
        }
        return true
    }

    /// Moves queued messages on while the client and the buffer take some.
    mutating func fill() {
        guard connection != nil else { return }
        defer { if charged != 0 { settleAccount() } }
        while pending.count < limits.highWaterBytes, let resend = flight.nextResend() {
            switch resend {
            case .publish(let id, let delivery):
                let writer = PublishWriter(
                    qos: delivery.qos, retain: delivery.retain, dup: true, packetID: id,
                    identifiers: delivery.identifiers)
                if !pending.write(writer, delivery.message) {
                    _ = flight.complete(id, from: delivery.qos == .exactlyOnce ? .awaitingPubrec : .awaitingPuback)
                }
            case .pubrel(let id):
                pending.writePubrel(id)
            }
        }
        guard let head = queue.first, head.qos == .atMostOnce || flight.hasRoom else { return }
        let now = NIODeadline.now()
        while pending.count < limits.highWaterBytes, let delivery = queue.first,
            delivery.qos == .atMostOnce || flight.hasRoom
        {
            queue.removeFirst()
            // Not begun to be delivered in time (MQTT-3.3.2-5).
            if delivery.message.hasExpired(now: now) { continue }
            if delivery.qos == .atMostOnce {
                _ = pending.write(
                    PublishWriter(qos: .atMostOnce, retain: delivery.retain, identifiers: delivery.identifiers),
                    delivery.message)
            } else {
                _ = send(delivery)
            }
        }
    }

    /// What the connection is to write now, after the bytes it has itself.
    mutating func takePending(for taker: ClientConnection) -> ByteBuffer {
        guard connection === taker else { return ByteBuffer() }
        isWakeUnderway = false
        fill()
        return pending.take()
    }

    /// What is left to write when the connection ends; nothing more is begun.
    mutating func takeWritten(for taker: ClientConnection) -> ByteBuffer {
        guard connection === taker else { return ByteBuffer() }
        return pending.take()
    }

    // MARK: Progress

    /// An acknowledgement came of something that waited for it.
    private mutating func acknowledged() {
        holding.acknowledged()
        if charged != 0 { settleAccount() }
    }

    /// Bytes left: a sign of life, unless it is acknowledgements that a stalled client owes.
    mutating func bytesLeft() {
        guard !holding.isStalled || flight.hasRoom else { return }
        holding.madeProgress()
        if charged != 0 { settleAccount() }
    }

    /// The publishers that may go on, if enough has drained.
    mutating func takeReleased() -> [ClientConnection] {
        guard !holding.isEmpty, isDrained || holding.isStalled || connection == nil else { return [] }
        return holding.release()
    }

    /// A second without progress: from now on limits apply instead of holding.
    mutating func stall() {
        holding.stall()
        settleAccount()
    }

    // MARK: Acknowledgements from the client

    /// - Returns: false for a violation: the message with this identifier awaits another acknowledgement. One that nothing
    ///   is in flight for is merely late.
    mutating func puback(_ id: UInt16) -> Bool { complete(id, from: .awaitingPuback) }

    /// - Returns: false for a violation, as for ``puback(_:)``.
    mutating func pubcomp(_ id: UInt16) -> Bool { complete(id, from: .awaitingPubcomp) }

    private mutating func complete(_ id: UInt16, from stage: DeliveryFlight.Stage) -> Bool {
        guard flight.complete(id, from: stage) else { return flight.stage(of: id) == .free }
        acknowledged()
        return true
    }

    /// - Returns: whether there is such a message, so that a PUBREL is to be sent unless the PUBREC is an error; nil for
    ///   a violation, as for ``puback(_:)``.
    mutating func pubrec(_ id: UInt16, isError: Bool) -> Bool? {
        guard flight.stage(of: id) != .awaitingPuback else { return nil }
        // One that comes again, or of a message never sent, is no progress: it would hold publishers for ever.
        if flight.stage(of: id) == .awaitingPubrec { acknowledged() }
        return isError ? flight.complete(id, from: .awaitingPubrec) : flight.received(id)
    }

    // MARK: Connections

    /// A connection takes the session over.
    ///
    /// - Parameter isTransient: the session ends with the connection.
    /// - Returns: the one it had before, which is to be closed, and publishers to release; nil if the session has ended,
    ///   or ends with the connection that it has now, or that is just leaving it.
    mutating func attach(
        _ connection: ClientConnection, version: ProtocolVersion, packetLimit: Int, receiveMaximum: Int,
        topicAliasMaximum: Int, isTransient: Bool
    ) -> (previous: ClientConnection?, released: [ClientConnection])? {
        guard !isEnded, !self.isTransient else { return nil }
        self.isTransient = isTransient
        attachments += 1
        let previous = self.connection
        self.connection = connection
        pending.connectionStarted(version: version, packetLimit: packetLimit, topicAliasMaximum: topicAliasMaximum)
        isWakeUnderway = false
        holding.connectionStarted(owesAcknowledgements: flight.count > 0)
        flight.connectionStarted(maximum: min(receiveMaximum, limits.maximumInflight))
        settleAccount()
        return (previous, holding.release())
    }

    /// The connection is gone.
    ///
    /// - Returns: publishers to release; nil if another connection has the session already.
    mutating func detach(_ connection: ClientConnection) -> [ClientConnection]? {
        guard self.connection === connection else { return nil }
        self.connection = nil
        pending.connectionEnded()
        isWakeUnderway = false
        holding.connectionEnded()
        retained.suspend()
        _ = queue.take { $0.qos == .atMostOnce }
        settleAccount()
        return holding.release()
    }

    /// The shared subscriptions that messages came by which are not acknowledged yet.
    var sharedGroups: [SharedGroup] {
        var groups: [ObjectIdentifier: SharedGroup] = [:]
        for delivery in flight.shared + queue.deliveries {
            if let group = delivery.group { groups[ObjectIdentifier(group)] = group }
        }
        return Array(groups.values)
    }

    /// Takes out the messages of these shared subscriptions that other members can have, unless the client is back.
    mutating func takeShared(of groups: [SharedGroup]) -> [Delivery] {
        guard connection == nil else { return [] }
        let groups = Set(groups.map(ObjectIdentifier.init))
        return takeShared { groups.contains(ObjectIdentifier($0)) }
    }

    private mutating func takeShared(where isWanted: (SharedGroup) -> Bool) -> [Delivery] {
        defer { settleAccount() }
        return flight.takeShared(where: isWanted) + queue.take { $0.group.map(isWanted) ?? false }
    }

    /// Over for good.
    ///
    /// - Returns: what other members of shared subscriptions can have; nil if it was over already.
    mutating func end() -> [Delivery]? {
        guard !isEnded else { return nil }
        let orphans = takeShared { _ in true }
        isEnded = true
        queue = DeliveryQueue()
        flight = DeliveryFlight(maximumBytes: limits.maximumInflightBytes)
        retained = RetainedBacklog()
        settleAccount()
        return orphans
    }
}
