internal import DequeModule
import NIOCore

/// The sender's half of QoS 1 and 2 (section 4.3): packet identifiers and what they stand for, from PUBLISH to PUBACK or
/// PUBCOMP. SUBSCRIBE and UNSUBSCRIBE take their identifiers here too, since both kinds share one space (MQTT-2.2.1-2).
///
/// Every operation costs the same however many messages are in flight: an identifier is an index into a table that grows
/// to the largest number ever in flight, and identifiers come back in the order in which they became free.
package struct OutgoingFlight: Sendable {
    /// How far a message is.
    package enum Stage: UInt8, Sendable {
        case free
        /// PUBLISH of QoS 1 sent or to be sent again.
        case awaitingPuback
        /// PUBLISH of QoS 2 sent or to be sent again.
        case awaitingPubrec
        /// PUBREL sent or to be sent again.
        case awaitingPubcomp
        /// SUBSCRIBE or UNSUBSCRIBE sent.
        case awaitingAnswer
        /// Nothing any more, but the peer may hold the identifier for a message of QoS 2.
        case abandoned
    }

    /// What is known of one packet identifier in use.
    package struct Entry: Sendable {
        package var publish: Publish
        package var stage: Stage
        /// What the owner wants back with the outcome.
        package var token: (any AnyObject & Sendable)?
        /// The order in which messages were first sent.
        package var sequence: UInt64
        /// Whether it was sent on the present connection and counts against the Receive Maximum.
        var isActive: Bool

        static let free = Entry(
            publish: Publish(topic: "", payload: .init()), stage: .free, token: nil, sequence: 0, isActive: false)
    }

    /// What an acknowledgement from the peer means.
    package enum Outcome: Sendable {
        /// The message, or the request, is done.
        case completed(Entry)
        /// PUBREC: a PUBREL has to be sent.
        case release
        /// No message in that stage has that identifier.
        case unknown
    }

    /// SUBSCRIBE, UNSUBSCRIBE always find an identifier: so many are kept from PUBLISH.
    private static let reservedForRequests = 64

    private var slots: ContiguousArray<Entry> = []
    private var freeIDs = Deque<UInt16>()
    private var nextSequence: UInt64 = 0
    private var resendQueue = Deque<UInt16>()
    private var active = 0
    private var publishes = 0

    /// How many PUBLISH of QoS 1 and 2 the peer takes unacknowledged on this connection (section 4.9). 1 to 65,535.
    package var receiveMaximum: Int

    package init(receiveMaximum: Int = 65_535) {
        self.receiveMaximum = receiveMaximum
    }

    /// Messages that are not completed yet.
    package var count: Int { publishes }

    /// Whether the peer's Receive Maximum leaves room for one more new message. What has to be sent again goes first.
    package var hasRoom: Bool {
        active < receiveMaximum && resendQueue.isEmpty && publishes < 65_535 - Self.reservedForRequests
    }

    /// Takes a new message in flight.
    ///
    /// - Returns: its packet identifier, or nil if there is no room.
    package mutating func add(_ publish: Publish, token: (any AnyObject & Sendable)? = nil) -> UInt16? {
        guard hasRoom, let id = takeID() else { return nil }
        nextSequence += 1
        active += 1
        publishes += 1
        slots[Int(id) - 1] = Entry(
            publish: publish, stage: publish.qos == .exactlyOnce ? .awaitingPubrec : .awaitingPuback, token: token,
            sequence: nextSequence, isActive: true)
        slots[Int(id) - 1].publish.packetID = id
        return id
    }

    /// A packet identifier for a SUBSCRIBE or UNSUBSCRIBE, or nil if all 65,535 are in use.
    package mutating func addRequest(token: any AnyObject & Sendable) -> UInt16? {
        guard let id = takeID() else { return nil }
        nextSequence += 1
        slots[Int(id) - 1] = Entry(
            publish: Entry.free.publish, stage: .awaitingAnswer, token: token, sequence: nextSequence, isActive: false)
        return id
    }

    /// PUBACK.
    package mutating func puback(_ id: UInt16) -> Outcome { complete(id, from: .awaitingPuback) }

    /// PUBACK for a message of QoS 2, which the peer took at QoS 1.
    package mutating func pubackOfExactlyOnce(_ id: UInt16) -> Outcome { complete(id, from: .awaitingPubrec) }

    /// PUBCOMP.
    package mutating func pubcomp(_ id: UInt16) -> Outcome { complete(id, from: .awaitingPubcomp) }

    /// SUBACK or UNSUBACK.
    package mutating func answer(_ id: UInt16) -> Outcome { complete(id, from: .awaitingAnswer) }

    /// PUBREC. An error ends the message (MQTT-4.3.3-4: such a PUBREC is not followed by PUBREL).
    package mutating func pubrec(_ id: UInt16, reasonCode: ReasonCode) -> Outcome {
        guard id > 0, Int(id) <= slots.count else { return .unknown }
        let index = Int(id) - 1
        switch slots[index].stage {
        case .awaitingPubrec where reasonCode.isError:
            return complete(id, from: .awaitingPubrec)
        case .awaitingPubrec:
            slots[index].stage = .awaitingPubcomp
            // The receiver owns the message now; only the identifier is still needed.
            slots[index].publish.payload = .init()
            slots[index].publish.properties = .init()
            return .release
        case .awaitingPubcomp:
            return .release
        case .free, .awaitingPuback, .awaitingAnswer, .abandoned:
            return .unknown
        }
    }

    /// A new connection resumes the session: everything unacknowledged is sent again, in order (MQTT-4.4.0-1), as
    /// ``nextToResend()`` hands it out. Requests have ended with the old connection and are returned.
    package mutating func connectionResumed(receiveMaximum: Int) -> [Entry] {
        self.receiveMaximum = receiveMaximum
        let requests = takeRequests()
        active = 0
        resendQueue.removeAll()
        var ids: [UInt16] = []
        for index in slots.indices where slots[index].stage != .free {
            slots[index].isActive = false
            ids.append(UInt16(index + 1))
        }
        ids.sort { slots[Int($0) - 1].sequence < slots[Int($1) - 1].sequence }
        resendQueue.append(contentsOf: ids)
        return requests
    }

    /// The next PUBLISH (DUP set) or PUBREL to send again, while the Receive Maximum allows one.
    package mutating func nextToResend() -> Packet? {
        while active < receiveMaximum, let id = resendQueue.popFirst() {
            let index = Int(id) - 1
            switch slots[index].stage {
            case .awaitingPuback, .awaitingPubrec:
                slots[index].isActive = true
                active += 1
                var publish = slots[index].publish
                publish.dup = true
                return .publish(publish)
            case .awaitingPubcomp:
                slots[index].isActive = true
                active += 1
                return .pubrel(Acknowledgement(packetID: id))
            case .free, .awaitingAnswer, .abandoned:
                continue
            }
        }
        return nil
    }

    /// Whether messages wait to be sent again.
    package var hasResends: Bool { !resendQueue.isEmpty }

    /// Everything in flight, in the order sent, and the table is empty: the session is gone.
    package mutating func removeAll() -> [Entry] {
        resendQueue.removeAll()
        return takeAll { $0 != .free }
    }

    /// Takes back an identifier whose packet could not be sent.
    package mutating func withdraw(_ id: UInt16) {
        guard id > 0, Int(id) <= slots.count, slots[Int(id) - 1].stage != .free else { return }
        _ = free(Int(id) - 1)
    }

    /// Gives up a message that can't be sent again. One of QoS 2 keeps its identifier until the session ends: the peer would
    /// take another message of that identifier for the one that it has seen.
    package mutating func abandon(_ id: UInt16) -> Entry? {
        guard id > 0, Int(id) <= slots.count, slots[Int(id) - 1].stage != .free else { return nil }
        let entry = free(Int(id) - 1)
        guard entry.stage == .awaitingPubrec else { return entry }
        freeIDs.removeLast()
        slots[Int(id) - 1].stage = .abandoned
        return entry
    }

    /// SUBSCRIBEs and UNSUBSCRIBEs that will not be answered: their connection is gone.
    package mutating func takeRequests() -> [Entry] { takeAll { $0 == .awaitingAnswer } }

    /// Everything in flight in the order sent, for a session store.
    package var entries: [Entry] {
        slots.filter { $0.stage != .free && $0.stage != .awaitingAnswer && $0.stage != .abandoned }.sorted {
            $0.sequence < $1.sequence
        }
    }

    private mutating func takeAll(where matches: (Stage) -> Bool) -> [Entry] {
        var taken: [Entry] = []
        for index in slots.indices where matches(slots[index].stage) {
            taken.append(free(index))
        }
        return taken.sorted { $0.sequence < $1.sequence }
    }

    private mutating func complete(_ id: UInt16, from stage: Stage) -> Outcome {
        guard id > 0, Int(id) <= slots.count, slots[Int(id) - 1].stage == stage else { return .unknown }
        return .completed(free(Int(id) - 1))
    }

    private mutating func free(_ index: Int) -> Entry {
        var entry = Entry.free
        swap(&entry, &slots[index])
        freeIDs.append(UInt16(index + 1))
        if entry.isActive { active -= 1 }
        if entry.stage != .awaitingAnswer && entry.stage != .abandoned { publishes -= 1 }
        return entry
    }

    private mutating func takeID() -> UInt16? {
        // An identifier rests a while before it is used again, so that a late acknowledgement meets no new message.
        if freeIDs.count > 16 || slots.count == 65_535 { return freeIDs.popFirst() }
        slots.append(.free)
        return UInt16(slots.count)
    }
}
