internal import MQTTCore
internal import MQTTXClient
internal import Synchronization

/// What an endpoint does as connections end and begin: calls whose responses can't come any more end.
final class ConnectionWatch: Sendable {
    private let client: ClientLink
    private let calls: PendingCalls
    private let crew: Crew
    private let sessionSurvives = Mutex(false)

    init(_ client: ClientLink, _ calls: PendingCalls, _ crew: Crew) {
        self.client = client
        self.calls = calls
        self.crew = crew
    }

    func connectionChanged(_ event: MQTTClient.ConnectionEvent) {
        switch event {
        case .connected(let server):
            noteSession(server)
            crew.goOn()
            if !server.sessionPresent {
                calls.failAll(MQTTXError(.connectionLost, "the broker lost the session while the call was waiting"))
            }
        case .disconnected(willReconnect: true, let cause):
            if !sessionSurvives.withLock({ $0 }) { calls.failAll(Self.lost(cause)) }
        case .disconnected(willReconnect: false, let cause):
            calls.failAll(Self.lost(cause))
            // Now: the event loop that they wait on may be shut down next.
            crew.rest()
        }
    }

    private static func lost(_ cause: MQTTXError) -> MQTTXError {
        MQTTXError(
            .connectionLost, "the connection was lost while the call was waiting: \(cause.message)",
            reasonCode: cause.reasonCode, cause: cause)
    }

    /// Whether the broker keeps the session, and the responses that come for it, when the connection is lost.
    func noteSession(_ server: ServerCapabilities) {
        guard let config = client.config else { return }
        let survives =
            switch server.version {
            case .v5: (server.sessionExpiryInterval ?? 0) > 0
            case .v3_1_1: !config.clientID.isEmpty
            }
        sessionSurvives.withLock { $0 = survives && !config.cleanSession }
    }
}
