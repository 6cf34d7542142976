import MQTTCore
import Synchronization

/// A shared subscription: each message goes to one of its members (section 4.8.2).
///
/// Those whose client is away stand apart, so that a message finds one that is connected however many of them there are.
final class SharedGroup: Sendable {
    private struct State {
        var connected = Ring()
        var away = Ring()
    }

    /// Members that take turns.
    private struct Ring {
        struct Member {
            let session: Session
            var subscription: Subscription
        }

        private(set) var members: [Member] = []
        private var indices: [UInt64: Int] = [:]
        private var next = 0

        func contains(_ session: Session) -> Bool { indices[session.number] != nil }

        mutating func insert(_ member: Member) {
            if let index = indices[member.session.number] {
                members[index] = member
            } else {
                indices[member.session.number] = members.count
                members.append(member)
            }
        }

        mutating func remove(_ session: Session) -> Member? {
            guard let index = indices.removeValue(forKey: session.number) else { return nil }
            members.swapAt(index, members.count - 1)
            let member = members.removeLast()
            if index < members.count { indices[members[index].session.number] = index }
            if next >= members.count { next = 0 }
            return member
        }

        /// Who there is, and whose turn it is.
        struct Turn {
            let members: [Member]
            let start: Int
        }

        mutating func takeTurn() -> Turn {
            defer { next = members.isEmpty ? 0 : (next + 1) % members.count }
            return Turn(members: members, start: next)
        }

        /// Unless somebody else has taken a turn, or the members have changed, meanwhile.
        mutating func pass(_ turn: Turn, to index: Int) {
            guard members.count == turn.members.count, next == (turn.start + 1) % members.count else { return }
            next = (index + 1) % members.count
        }
    }

    /// How many members of a kind a message looks at: what it costs does not grow with those that have no room.
    private static let longestSearch = 1024

    private let state = Mutex(State())

    func join(_ session: Session, _ subscription: Subscription) {
        state.withLock { state in
            let member = Ring.Member(session: session, subscription: subscription)
            if Self.isConnected(session) {
                _ = state.away.remove(session)
                state.connected.insert(member)
            } else {
                _ = state.connected.remove(session)
                state.away.insert(member)
            }
        }
    }

    /// - Returns: whether nobody is left.
    func leave(_ session: Session) -> Bool {
        state.withLock { state in
            _ = state.connected.remove(session)
            _ = state.away.remove(session)
            return state.connected.members.isEmpty && state.away.members.isEmpty
        }
    }

    /// The session's client has come or gone. To be told of each change, after it.
    func connectionChanged(_ session: Session) {
        state.withLock { state in
            // As it is now: of two who tell at once, the later one is right.
            if Self.isConnected(session) {
                if let member = state.away.remove(session) { state.connected.insert(member) }
            } else if let member = state.connected.remove(session) {
                state.away.insert(member)
            }
        }
    }

    private static func isConnected(_ session: Session) -> Bool {
        session.outbound.withLock { $0.connection != nil }
    }

    /// Offers a message to one member after another, from the one whose turn it is, until one takes it: first those that take
    /// a message at once, then those that are connected, then those that it is kept for.
    ///
    /// Each member is asked once at most, and none under the group's lock: a user's check may take its time.
    ///
    /// - Parameter isKept: whether sessions keep it for clients that are away: nothing at QoS 0.
    /// - Returns: what the one that took it said; nil if none did.
    func offer<Taken>(
        isKept: Bool, mayRead: (Session) -> Bool, _ put: (Session, Route.Grant) -> Taken?
    ) -> Taken? {
        // Both at once: a member that comes or goes meanwhile is among the one or the other.
        let (connected, away) = state.withLock { ($0.connected.takeTurn(), isKept ? $0.away.takeTurn() : nil) }
        if let taken = offer(to: \.connected, connected, prefersReady: true, mayRead, put) { return taken }
        return away.flatMap { offer(to: \.away, $0, prefersReady: false, mayRead, put) }
    }

    private func offer<Taken>(
        to ring: any WritableKeyPath<State, Ring> & Sendable, _ turn: Ring.Turn, prefersReady: Bool,
        _ mayRead: (Session) -> Bool, _ put: (Session, Route.Grant) -> Taken?
    ) -> Taken? {
        let members = turn.members
        func ask(_ index: Int) -> Taken? {
            let member = members[index]
            guard let taken = put(member.session, Route.Grant(member.subscription)) else { return nil }
            // Those between were passed over; the one behind them is not to get their share as well.
            if index != turn.start { state.withLock { $0[keyPath: ring].pass(turn, to: index) } }
            return taken
        }
        var unready: [Int] = []
        for step in 0..<min(members.count, Self.longestSearch) {
            let index = (turn.start + step) % members.count
            let session = members[index].session
            guard mayRead(session) else { continue }
            if !prefersReady || session.outbound.withLock({ $0.isReady }) {
                if let taken = ask(index) { return taken }
            } else {
                unready.append(index)
            }
        }
        for index in unready {
            if let taken = ask(index) { return taken }
        }
        // Those behind, if there are any, come first the next time.
        let last = turn.start + min(members.count, Self.longestSearch) - 1
        if last > turn.start { state.withLock { $0[keyPath: ring].pass(turn, to: last % members.count) } }
        return nil
    }

    /// Whether a member other than this one is connected.
    func hasOthersConnected(than session: Session) -> Bool {
        state.withLock { state in
            state.connected.members.count > (state.connected.contains(session) ? 1 : 0)
        }
    }
}
