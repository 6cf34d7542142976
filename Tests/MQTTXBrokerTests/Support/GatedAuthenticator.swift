import MQTTXBroker
import TestSupport

/// Lets everybody in, once its gate is open.
struct GatedAuthenticator: Authenticator {
    let gate = Gate()

    func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult {
        await gate.wait()
        return .accepted()
    }
}
