import DequeModule
import MQTTCore

/// The messages of QoS 1 and 2 that a client has not acknowledged yet, by packet identifier.
///
/// Beside `OutgoingFlight` because what is kept differs: a message here is shared by all sessions that it goes to, and an
/// entry is a few words. Nothing is allocated before the first message.
struct DeliveryFlight: Sendable {
    enum Stage: UInt8, Sendable {
        case free, awaitingPuback, awaitingPubrec, awaitingPubcomp
    }

    struct Entry: Sendable {
        /// Nil once the client owns the message (PUBREC came).
        var delivery: Delivery?
        var stage: Stage
        /// Whether it was sent on the present connection and counts against Receive Maximum.
        var isActive: Bool
        var sequence: UInt64
    }

    /// Something to be sent again on a new connection.
    enum Resend {
        case publish(UInt16, Delivery)
        case pubrel(UInt16)
    }

    private var slots: ContiguousArray<Entry> = []
    private var freeIDs = Deque<UInt16>()
    private var resends = Deque<UInt16>()
    private var nextSequence: UInt64 = 0
    private var active = 0
    private(set) var count = 0
    /// What the messages take that are kept.
    private(set) var bytes = 0

    /// How many the client takes unacknowledged on this connection, at most 65,535.
    var maximum = 65_535
    /// No more messages are sent once they take this much.
    let maximumBytes: Int

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    var hasRoom: Bool {
        active < maximum && resends.isEmpty && count < 65_535 && bytes < maximumBytes
    }

    /// Takes a message in flight. There has to be room.
    mutating func add(_ delivery: Delivery) -> UInt16 {
        let id = takeID()
        nextSequence += 1
        active += 1
        count += 1
        bytes += delivery.message.cost
        slots[Int(id) - 1] = Entry(
            delivery: delivery, stage: delivery.qos == .exactlyOnce ? .awaitingPubrec : .awaitingPuback,
            isActive: true, sequence: nextSequence)
        return id
    }

    /// PUBACK, or PUBREC with an error, or PUBCOMP: the message is done.
    ///
    /// - Returns: whether there was such a message in that stage.
    mutating func complete(_ id: UInt16, from stage: Stage) -> Bool {
        guard self.stage(of: id) == stage else { return false }
        release(Int(id) - 1)
        return true
    }

    /// PUBREC: the client owns the message; its identifier stays in use until PUBCOMP.
    ///
    /// - Returns: whether a PUBREL is to be sent.
    mutating func received(_ id: UInt16) -> Bool {
        switch stage(of: id) {
        case .awaitingPubrec:
            slots[Int(id) - 1].stage = .awaitingPubcomp
            letGo(Int(id) - 1)
            return true
        case .awaitingPubcomp:
            return true
        case .free, .awaitingPuback:
            return false
        }
    }

    func stage(of id: UInt16) -> Stage {
        id > 0 && Int(id) <= slots.count ? slots[Int(id) - 1].stage : .free
    }

    /// A new connection: everything unacknowledged goes out again, in order (MQTT-4.4.0-1).
    mutating func connectionStarted(maximum: Int) {
        self.maximum = maximum
        active = 0
        var ids: [UInt16] = []
        for index in slots.indices where slots[index].stage != .free {
            slots[index].isActive = false
            ids.append(UInt16(index + 1))
        }
        ids.sort { slots[Int($0) - 1].sequence < slots[Int($1) - 1].sequence }
        resends = Deque(ids)
    }

    /// The next to be sent again, while Receive Maximum allows one.
    mutating func nextResend() -> Resend? {
        while active < maximum, let id = resends.popFirst() {
            let index = Int(id) - 1
            guard slots[index].stage != .free else { continue }
            slots[index].isActive = true
            active += 1
            if let delivery = slots[index].delivery { return .publish(id, delivery) }
            return .pubrel(id)
        }
        return nil
    }

    /// The QoS 1 messages of shared subscriptions. At QoS 2 a message stays with the client that was chosen
    /// (MQTT-4.8.2-4).
    var shared: [Delivery] {
        slots.compactMap { slot in
            slot.stage == .awaitingPuback && slot.delivery?.group != nil ? slot.delivery : nil
        }
    }

    /// Takes those out that are wanted, oldest first: another member can have them.
    mutating func takeShared(where isWanted: (SharedGroup) -> Bool) -> [Delivery] {
        var taken: [(UInt64, Delivery)] = []
        for index in slots.indices where slots[index].stage == .awaitingPuback {
            guard let delivery = slots[index].delivery, let group = delivery.group, isWanted(group) else { continue }
            taken.append((slots[index].sequence, delivery))
            release(index)
        }
        return taken.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private mutating func release(_ index: Int) {
        if slots[index].isActive { active -= 1 }
        count -= 1
        letGo(index)
        // Each in its place: the entry as a whole would be let go of a second time.
        slots[index].stage = .free
        slots[index].isActive = false
        freeIDs.append(UInt16(index + 1))
    }

    private mutating func letGo(_ index: Int) {
        guard let delivery = slots[index].delivery.take() else { return }
        bytes -= delivery.message.cost
    }

    private mutating func takeID() -> UInt16 {
        // An identifier rests a while, so that a late acknowledgement meets no new message.
        if freeIDs.count > 16 || slots.count == 65_535, let id = freeIDs.popFirst() { return id }
        slots.append(Entry(delivery: nil, stage: .free, isActive: false, sequence: 0))
        return UInt16(slots.count)
    }
}
