import MQTTCore
import Synchronization

/// A shared subscription: each message goes to one of its members (section 4.8.2).
final class SharedGroup: Sendable {
    private struct Member {
        let session: Session
        var subscription: Subscription
    }

    private struct State {
        var members: [Member] = []
        var next = 0
    }

    private let state = Mutex(State())

    func join(_ session: Session, _ subscription: Subscription) {
        state.withLock { state in
            if let index = state.members.firstIndex(where: { $0.session === session }) {
                state.members[index].subscription = subscription
            } else {
                state.members.append(Member(session: session, subscription: subscription))
            }
        }
    }

    /// - Returns: whether nobody is left.
    func leave(_ session: Session) -> Bool {
        state.withLock { state in
            state.members.removeAll { $0.session === session }
            if state.next >= state.members.count { state.next = 0 }
            return state.members.isEmpty
        }
    }

    /// Offers a message to one member after another, from the one whose turn it is, until one takes it: first those that take
    /// a message at once, then those that are connected, then those that it is kept for.
    ///
    /// Each member is asked once at most, and none under the group's lock: a user's check may take its time.
    ///
    /// - Returns: what the one that took it said; nil if none did.
    func offer<Taken>(
        mayRead: (Session) -> Bool, _ put: (Session, Route.Grant) -> Taken?
    ) -> Taken? {
        let (members, start) = state.withLock { state in
            let start = state.next
            state.next = state.members.isEmpty ? 0 : (start + 1) % state.members.count
            return (state.members, start)
        }
        func ask(_ index: Int) -> Taken? {
            let member = members[index]
            guard let taken = put(member.session, Route.Grant(member.subscription)) else { return nil }
            // Those between were passed over; the one behind them is not to get their share as well.
            if index != start { passTurn(from: start, to: index, among: members.count) }
            return taken
        }
        var connected: [Int] = []
        var offline: [Int] = []
        for step in members.indices {
            let index = (start + step) % members.count
            let session = members[index].session
            guard mayRead(session) else { continue }
            let (isReady, isConnected) = session.outbound.withLock { ($0.isReady, $0.connection != nil) }
            if isReady {
                if let taken = ask(index) { return taken }
            } else if isConnected {
                connected.append(index)
            } else {
                offline.append(index)
            }
        }
        for index in connected + offline {
            if let taken = ask(index) { return taken }
        }
        return nil
    }

    /// Unless somebody else has taken a turn, or the members have changed, meanwhile.
    private func passTurn(from start: Int, to index: Int, among count: Int) {
        state.withLock { state in
            guard state.members.count == count, state.next == (start + 1) % count else { return }
            state.next = (index + 1) % count
        }
    }

    /// Whether a member other than this one is connected.
    func hasOthersConnected(than session: Session) -> Bool {
        let others = state.withLock { $0.members.map(\.session) }.filter { $0 !== session }
        return others.contains { $0.outbound.withLock { $0.connection != nil } }
    }
}
