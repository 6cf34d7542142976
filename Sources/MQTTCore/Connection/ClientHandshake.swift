/// The client's side of getting connected (sections 3.1, 3.2 and 4.12): CONNECT out, AUTH back and forth, CONNACK in.
///
/// ```
/// start ─CONNECT→ waiting ─CONNACK 0→ connected ─AUTH⇄ (re-authentication)
///                  │  ↑AUTH                │
///                  │  └─ challenged        └─DISCONNECT or close→ closed
///                  └─CONNACK ≥ 0x80→ refused
/// ```
package struct ClientHandshake: Sendable {
    package enum Action: Sendable {
        /// The server took the connection.
        case connected(ServerCapabilities)
        /// The server refused it and closes.
        case refused(MQTTXError)
        /// The authentication method has to answer; hand its answer to ``answer(_:)``.
        case challenge(Auth)
        /// Re-authentication succeeded.
        case reauthenticated(Auth)
    }

    private enum State {
        case waiting, challenged, connected, reauthenticating, rechallenged, refused
    }

    private let connect: Connect
    private var state = State.waiting

    /// - Parameter connect: the CONNECT that goes out first.
    package init(connect: Connect) { self.connect = connect }

    package var isConnected: Bool {
        switch state {
        case .connected, .reauthenticating, .rechallenged: true
        case .waiting, .challenged, .refused: false
        }
    }

    /// CONNACK came.
    package mutating func received(_ connack: ConnAck) throws(MQTTXError) -> Action {
        switch state {
        case .waiting, .challenged:
            break
        case .connected, .reauthenticating, .rechallenged, .refused:
            throw Self.violation("a second CONNACK")
        }
        guard connack.reasonCode == .success else {
            state = .refused
            return .refused(MQTTXError(refusal: connack, version: connect.version))
        }
        if connack.sessionPresent, connect.cleanStart {
            throw Self.violation("the CONNACK says session present after a clean start")
        }
        if connect.clientID.isEmpty, connect.version == .v5, connack.properties.assignedClientIdentifier == nil {
            throw Self.violation("the CONNACK assigns no client identifier though none was sent")
        }
        if connack.properties.authenticationMethod != connect.properties.authenticationMethod,
            connect.properties.authenticationMethod != nil
        {
            throw Self.violation("the CONNACK names another authentication method")
        }
        state = .connected
        return .connected(ServerCapabilities(connack: connack, connect: connect))
    }

    /// AUTH came.
    package mutating func received(_ auth: Auth) throws(MQTTXError) -> Action {
        guard let method = connect.properties.authenticationMethod,
            auth.properties.authenticationMethod == method
        else { throw Self.violation("an AUTH without, or with another, authentication method") }
        switch (state, auth.reasonCode) {
        case (.waiting, .continueAuthentication):
            state = .challenged
            return .challenge(auth)
        case (.reauthenticating, .continueAuthentication):
            state = .rechallenged
            return .challenge(auth)
        case (.reauthenticating, .success):
            state = .connected
            return .reauthenticated(auth)
        default:
            throw Self.violation("an AUTH that nothing asked for")
        }
    }

    /// The AUTH that answers a challenge.
    package mutating func answer(_ data: Properties) -> Packet {
        switch state {
        case .challenged: state = .waiting
        case .rechallenged: state = .reauthenticating
        case .waiting, .connected, .reauthenticating, .refused: break
        }
        var properties = data
        properties.authenticationMethod = connect.properties.authenticationMethod
        return .auth(Auth(reasonCode: .continueAuthentication, properties: properties))
    }

    /// The AUTH that starts a re-authentication, or nil if there is no method or one is under way.
    package mutating func reauthenticate(_ data: Properties) -> Packet? {
        guard case .connected = state, let method = connect.properties.authenticationMethod else { return nil }
        state = .reauthenticating
        var properties = data
        properties.authenticationMethod = method
        return .auth(Auth(reasonCode: .reAuthenticate, properties: properties))
    }

    private static func violation(_ message: String) -> MQTTXError {
        MQTTXError(.protocolViolation, message, reasonCode: .protocolError)
    }
}

extension MQTTXError {
    /// What a refusing CONNACK means to the user.
    init(refusal connack: ConnAck, version: ProtocolVersion) {
        let code: ErrorCode =
            switch connack.reasonCode {
            case .badUserNameOrPassword, .notAuthorized, .badAuthenticationMethod: .authenticationFailed
            case .packetTooLarge: .packetTooLarge
            case .topicNameInvalid: .invalidTopic
            default: .connectionFailed
            }
        let reason = connack.properties.reasonString.map { ": \($0)" } ?? ""
        self.init(
            code, "the broker refused the connection: \(connack.reasonCode.text)\(reason)",
            reasonCode: connack.reasonCode, properties: connack.properties)
    }
}

extension ReasonCode {
    /// The name in words, with the number: `not authorized (0x87)`.
    package var text: String {
        var words = ""
        for character in "\(self)" {
            if character.isUppercase, words.last?.isUppercase != true { words += " " }
            words += character.lowercased()
        }
        let hex = String(rawValue, radix: 16, uppercase: true)
        return "\(words) (0x\(hex.count == 1 ? "0" : "")\(hex))"
    }
}
