import MQTTCore
import Synchronization

/// All sessions by client identifier (MQTT-3.1.3-2).
final class SessionRegistry: Sendable {
    private let sessions = Mutex<[UTF8Key: Session]>([:])

    var count: Int { sessions.withLock { $0.count } }

    /// The session that a client resumes, or a new one. One of another user's it can't resume, only replace.
    ///
    /// - Returns: the session, whether it was there before, and the one that it replaces; nil when there are too many.
    func open(
        _ identity: ClientIdentity, cleanStart: Bool, limits: SessionLimits, maximum: Int
    ) -> (session: Session, isResumed: Bool, replaced: Session?)? {
        let clientID = UTF8Key(identity.clientID)
        return sessions.withLock { sessions in
            let known = sessions[clientID]
            if let known, !cleanStart, known.identity.isSameUser(as: identity) { return (known, true, nil) }
            if known == nil, sessions.count >= maximum { return nil }
            let session = Session(of: identity, limits: limits)
            sessions[clientID] = session
            return (session, false, known)
        }
    }

    /// Whether there is a session of that identifier whose client is connected.
    func isConnected(_ clientID: String) -> Bool {
        let session = sessions.withLock { $0[UTF8Key(clientID)] }
        return session?.outbound.withLock { $0.connection != nil } ?? false
    }

    /// Forgets the session, unless another has its place already.
    func remove(_ session: Session) {
        sessions.withLock { sessions in
            if sessions[session.clientID] === session { sessions[session.clientID] = nil }
        }
    }

    var all: [Session] { sessions.withLock { Array($0.values) } }
}
