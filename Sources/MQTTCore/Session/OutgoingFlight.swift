internal import DequeModule

/// The sender's half of QoS 1 and 2 (section 4.3): packet identifiers and what they stand for, from PUBLISH to PUBACK or
/// PUBCOMP. SUBSCRIBE and UNSUBSCRIBE take their identifiers here too, since both kinds share one space (MQTT-2.2.1-2).
///
/// The messages are the owner's: objects, so that nothing is copied on the way.
///
/// Every operation of a message costs the same however many are in flight: an identifier is an index into a table that grows
/// to the largest number ever in flight, and identifiers come back in the order in which they became free.
package struct OutgoingFlight: Sendable {
    /// How far a message is.
    package enum Stage: UInt8, Sendable {
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

    /// A message or a request of the owner's.
    package typealias Item = any AnyObject & Sendable

    /// What is known of one packet identifier in use.
    package struct Entry: Sendable {
        package let item: Item
        package var stage: Stage
        /// The order in which messages were first sent.
        package let sequence: UInt64
        /// Whether it was sent on the present connection and counts against the Receive Maximum.
        var isActive: Bool
    }

    /// What an acknowledgement from the peer means.
    package enum Outcome: Sendable {
        /// The message, or the request, is done.
        case completed(Entry)
        /// PUBREC: a PUBREL has to be sent; the message is the receiver's now, only its identifier is still needed.
        case release(Item)
        /// No message in that stage has that identifier.
        case unknown
    }

    /// A packet that has to be sent again.
    package enum Resend: Sendable {
        /// With DUP set.
        case publish(UInt16, Item)
        case pubrel(UInt16)
    }

    /// What an identifier stands for whose message was given up.
    private final class Nothing: Sendable {}

    /// SUBSCRIBE, UNSUBSCRIBE always find an identifier: so many are kept from PUBLISH.
    private static let reservedForRequests = 64

    /// By identifier less one; nil for those that are free.
    private var slots: ContiguousArray<Entry?> = []
    private var freeIDs = Deque<UInt16>()
    /// The ``Entry/sequence`` of the newest message or request; 0 before the first.
    package private(set) var lastSent: UInt64 = 0
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
    package mutating func add(_ message: Item, qos: QoS) -> UInt16? {
        guard hasRoom, let id = takeID() else { return nil }
        active += 1
        publishes += 1
        put(message, qos == .exactlyOnce ? .awaitingPubrec : .awaitingPuback, id, isActive: true)
        return id
    }

    /// A packet identifier for a SUBSCRIBE or UNSUBSCRIBE, or nil if all 65,535 are in use.
    package mutating func addRequest(_ request: Item) -> UInt16? {
        guard let id = takeID() else { return nil }
        put(request, .awaitingAnswer, id, isActive: false)
        return id
    }

    private mutating func put(_ item: Item, _ stage: Stage, _ id: UInt16, isActive: Bool) {
        lastSent += 1
        slots[Int(id) - 1] = Entry(item: item, stage: stage, sequence: lastSent, isActive: isActive)
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
        guard let entry = entry(id) else { return .unknown }
        switch entry.stage {
        case .awaitingPubrec where reasonCode.isError:
            return complete(id, from: .awaitingPubrec)
        case .awaitingPubrec, .awaitingPubcomp:
            slots[Int(id) - 1]?.stage = .awaitingPubcomp
            return .release(entry.item)
        case .awaitingPuback, .awaitingAnswer, .abandoned:
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
        var sent: [(sequence: UInt64, id: UInt16)] = []
        for index in slots.indices {
            guard let sequence = slots[index]?.sequence else { continue }
            slots[index]?.isActive = false
            sent.append((sequence, UInt16(index + 1)))
        }
        sent.sort { $0.sequence < $1.sequence }
        resendQueue.append(contentsOf: sent.map(\.id))
        return requests
    }

    /// The next PUBLISH or PUBREL to send again, while the Receive Maximum allows one.
    package mutating func nextToResend() -> Resend? {
        while active < receiveMaximum, let id = resendQueue.popFirst() {
            guard let entry = entry(id) else { continue }
            switch entry.stage {
            case .awaitingAnswer, .abandoned: continue
            case .awaitingPuback, .awaitingPubrec, .awaitingPubcomp: break
            }
            slots[Int(id) - 1]?.isActive = true
            active += 1
            return entry.stage == .awaitingPubcomp ? .pubrel(id) : .publish(id, entry.item)
        }
        return nil
    }

    /// Whether messages wait to be sent again.
    package var hasResends: Bool { !resendQueue.isEmpty }

    /// Everything in flight, in the order sent, and the table is empty: the session is gone.
    package mutating func removeAll() -> [Entry] {
        resendQueue.removeAll()
        return takeAll { _ in true }
    }

    /// Takes back an identifier whose packet could not be sent.
    package mutating func withdraw(_ id: UInt16) { _ = free(id) }

    /// Gives up a message that can't be sent again. One of QoS 2 keeps its identifier until the session ends: the peer would
    /// take another message of that identifier for the one that it has seen.
    package mutating func abandon(_ id: UInt16) {
        guard let entry = free(id), entry.stage == .awaitingPubrec else { return }
        freeIDs.removeLast()
        put(Nothing(), .abandoned, id, isActive: false)
    }

    /// SUBSCRIBEs and UNSUBSCRIBEs that will not be answered: their connection is gone.
    package mutating func takeRequests() -> [Entry] { takeAll { $0 == .awaitingAnswer } }

    /// Those of these that are still in flight, in no order. Looks at the whole table.
    package func items(sent: Range<UInt64>) -> [Item] {
        guard !sent.isEmpty else { return [] }
        return slots.compactMap { entry in
            if let entry, sent.contains(entry.sequence) { entry.item } else { nil }
        }
    }

    private mutating func takeAll(where matches: (Stage) -> Bool) -> [Entry] {
        var taken: [Entry] = []
        for index in slots.indices {
            guard let stage = slots[index]?.stage, matches(stage), let entry = free(UInt16(index + 1)) else { continue }
            taken.append(entry)
        }
        return taken.sorted { $0.sequence < $1.sequence }
    }

    private func entry(_ id: UInt16) -> Entry? { id > 0 && Int(id) <= slots.count ? slots[Int(id) - 1] : nil }

    private mutating func complete(_ id: UInt16, from stage: Stage) -> Outcome {
        guard id > 0, Int(id) <= slots.count, slots[Int(id) - 1]?.stage == stage, let entry = free(id) else {
            return .unknown
        }
        return .completed(entry)
    }

    private mutating func free(_ id: UInt16) -> Entry? {
        guard id > 0, Int(id) <= slots.count, let entry = slots[Int(id) - 1].take() else { return nil }
        freeIDs.append(id)
        if entry.isActive { active -= 1 }
        if entry.stage != .awaitingAnswer && entry.stage != .abandoned { publishes -= 1 }
        return entry
    }

    private mutating func takeID() -> UInt16? {
        // An identifier rests a while before it is used again, so that a late acknowledgement meets no new message.
        if freeIDs.count > 16 || slots.count == 65_535 { return freeIDs.popFirst() }
        slots.append(nil)
        return UInt16(slots.count)
    }
}
