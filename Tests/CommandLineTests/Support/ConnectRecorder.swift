import MQTTXBroker
import Synchronization

/// Lets everybody in, and remembers who came with a user name.
final class ConnectRecorder: Authenticator {
    private let seen = Mutex<[ConnectAttempt]>([])

    var attempts: [ConnectAttempt] { seen.withLock { $0 } }

    func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult {
        seen.withLock { $0.append(attempt) }
        return .accepted()
    }
}
