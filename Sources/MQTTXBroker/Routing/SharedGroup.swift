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
            return state.members.isEmpty
        }
    }

    /// Whose turn it is: the next member that takes a message at once, or else the next that is connected, or else the
    /// next that is kept for. Those in `refused` have been asked already.
    func choose(
        except refused: [Session], mayRead: (Session) -> Bool
    ) -> (session: Session, grant: Route.Grant)? {
        state.withLock { state in
            var connected: Int?
            var offline: Int?
            let count = state.members.count
            for step in 0..<count {
                let index = (state.next + step) % count
                let session = state.members[index].session
                guard !refused.contains(where: { $0 === session }), mayRead(session) else { continue }
                let (isReady, isConnected) = session.outbound.withLock { ($0.isReady, $0.connection != nil) }
                if isReady {
                    state.next = (index + 1) % count
                    return (session, Route.Grant(state.members[index].subscription))
                }
                if isConnected { connected = connected ?? index } else { offline = offline ?? index }
            }
            guard let index = connected ?? offline else { return nil }
            state.next = (index + 1) % count
            return (state.members[index].session, Route.Grant(state.members[index].subscription))
        }
    }

    /// Whether a member other than this one is connected.
    func hasOthersConnected(than session: Session) -> Bool {
        let others = state.withLock { $0.members.map(\.session) }.filter { $0 !== session }
        return others.contains { $0.outbound.withLock { $0.connection != nil } }
    }
}
