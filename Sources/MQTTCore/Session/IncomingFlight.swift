internal import DequeModule

/// The receiver's half of QoS 1 and 2 (section 4.3): which acknowledgements are owed, in which order, and which QoS 2
/// messages were seen.
///
/// PUBACKs go out in the order in which their messages came, PUBRECs too (MQTT-4.6.0-2, -3), however the handling of the
/// messages ends.
package struct IncomingFlight: Sendable {
    /// Names one message: its place in its lane, which is given out once.
    package struct Ticket: Sendable, Hashable {
        package let packetID: UInt16
        package let qos: QoS
        let position: UInt64
    }

    /// What to do with a PUBLISH that came.
    package enum Verdict: Sendable {
        /// It is new: hand it on, and ``complete(_:reasonCode:)`` it later.
        case deliver(Ticket)
        /// QoS 2, seen before: it is not handed on again, its PUBREC goes out in its turn.
        case duplicate
        /// More messages unacknowledged than the Receive Maximum that we announced (section 4.9).
        case quotaExceeded
    }

    /// An acknowledgement that may go out now.
    package struct Ready: Sendable, Equatable {
        package let type: PacketType
        package let packetID: UInt16
        package let reasonCode: ReasonCode
    }

    private struct Owed: Sendable {
        let packetID: UInt16
        var isDone: Bool
        var reasonCode: ReasonCode
    }

    private struct Lane: Sendable {
        var owed = Deque<Owed>()
        var first: UInt64 = 0

        mutating func append(_ owed: Owed) -> UInt64 {
            self.owed.append(owed)
            return first + UInt64(self.owed.count) - 1
        }

        mutating func finish(_ position: UInt64, _ reasonCode: ReasonCode) {
            guard position >= first, position - first < UInt64(owed.count) else { return }
            let index = Int(position - first)
            guard !owed[index].isDone else { return }
            owed[index].isDone = true
            owed[index].reasonCode = reasonCode
        }

        mutating func popReady() -> Owed? {
            guard let head = owed.first, head.isDone else { return nil }
            first += 1
            return owed.removeFirst()
        }

        mutating func reset() {
            first += UInt64(owed.count)
            owed.removeAll()
        }
    }

    private enum ExactlyOnceState {
        /// Being handled. Its PUBREC is owed at `position`, which differs from its ticket's once the peer has sent it again
        /// on a new connection.
        case processing(ticket: UInt64, position: UInt64)
        case received
    }

    private var pubacks = Lane()
    private var pubrecs = Lane()
    private var exactlyOnce: [UInt16: ExactlyOnceState] = [:]
    private var unacknowledged = 0

    /// What we announced: how many unacknowledged messages the peer may send. 1 to 65,535.
    package var receiveMaximum: Int

    package init(receiveMaximum: Int = 65_535) {
        self.receiveMaximum = receiveMaximum
    }

    /// Messages whose acknowledgement is still owed: PUBACK or PUBREC.
    package var owedCount: Int { pubacks.owed.count + pubrecs.owed.count }

    /// QoS 2 messages between PUBLISH and PUBREL.
    package var exactlyOnceCount: Int { exactlyOnce.count }

    /// A PUBLISH of QoS 1 or 2 came.
    package mutating func receive(packetID: UInt16, qos: QoS) -> Verdict {
        if qos == .exactlyOnce, let state = exactlyOnce[packetID] {
            switch state {
            case .processing(let ticket, let position):
                // Sent again on a new connection while it is still being handled: owed anew, on this connection.
                if position < pubrecs.first {
                    let position = pubrecs.append(Owed(packetID: packetID, isDone: false, reasonCode: .success))
                    exactlyOnce[packetID] = .processing(ticket: ticket, position: position)
                    unacknowledged += 1
                }
            case .received:
                _ = pubrecs.append(Owed(packetID: packetID, isDone: true, reasonCode: .success))
            }
            return .duplicate
        }
        guard unacknowledged < receiveMaximum else { return .quotaExceeded }
        unacknowledged += 1
        let owed = Owed(packetID: packetID, isDone: false, reasonCode: .success)
        let position = qos == .exactlyOnce ? pubrecs.append(owed) : pubacks.append(owed)
        if qos == .exactlyOnce { exactlyOnce[packetID] = .processing(ticket: position, position: position) }
        return .deliver(Ticket(packetID: packetID, qos: qos, position: position))
    }

    /// The message was handled, or refused with an error. Completing one twice, or one of an earlier connection, is harmless.
    package mutating func complete(_ ticket: Ticket, reasonCode: ReasonCode = .success) {
        switch ticket.qos {
        case .atMostOnce:
            return
        case .atLeastOnce:
            pubacks.finish(ticket.position, reasonCode)
        case .exactlyOnce:
            // The identifier may stand for another message by now.
            guard case .processing(ticket.position, let position) = exactlyOnce[ticket.packetID] else { return }
            pubrecs.finish(position, reasonCode)
            exactlyOnce[ticket.packetID] = reasonCode.isError ? nil : .received
        }
    }

    /// The next acknowledgement whose turn has come.
    package mutating func nextReady() -> Ready? {
        if let owed = pubacks.popReady() {
            unacknowledged = max(0, unacknowledged - 1)
            return Ready(type: .puback, packetID: owed.packetID, reasonCode: owed.reasonCode)
        }
        if let owed = pubrecs.popReady() {
            if owed.reasonCode.isError { unacknowledged = max(0, unacknowledged - 1) }
            return Ready(type: .pubrec, packetID: owed.packetID, reasonCode: owed.reasonCode)
        }
        return nil
    }

    /// The ticket of the oldest message whose acknowledgement is withheld, for sending it early.
    package var oldestWithheld: Ticket? {
        if let owed = pubacks.owed.first, !owed.isDone {
            return Ticket(packetID: owed.packetID, qos: .atLeastOnce, position: pubacks.first)
        }
        if let owed = pubrecs.owed.first, case .processing(let ticket, pubrecs.first)? = exactlyOnce[owed.packetID] {
            return Ticket(packetID: owed.packetID, qos: .exactlyOnce, position: ticket)
        }
        return nil
    }

    /// PUBREL came.
    ///
    /// - Returns: the reason code for the PUBCOMP; an unknown identifier is answered, never fatal.
    package mutating func release(_ packetID: UInt16) -> ReasonCode {
        guard let state = exactlyOnce[packetID], case .received = state else { return .packetIdentifierNotFound }
        exactlyOnce[packetID] = nil
        unacknowledged = max(0, unacknowledged - 1)
        return .success
    }

    /// A new connection. Acknowledgements of the old one are not owed any more; what QoS 2 has seen stays when the
    /// session does.
    package mutating func connectionStarted(sessionPresent: Bool) {
        pubacks.reset()
        pubrecs.reset()
        if !sessionPresent { exactlyOnce.removeAll() }
        // The peer counts from zero on a new connection; messages it still has to release count again.
        unacknowledged = 0
    }
}
