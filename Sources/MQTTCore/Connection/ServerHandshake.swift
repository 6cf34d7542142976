package import NIOCore

/// The server's side of CONNECT, AUTH and CONNACK (sections 3.1.4, 3.2, 4.12), without I/O.
///
/// ```
///  CONNECT ──► authenticate ──► succeeded ──► admit ──► acknowledge ──► connected
///          └─► exchange ◄─► AUTH                                        │    ▲
///                 └─► succeeded                              AUTH 0x19 ─┘    │
///                                                            exchange ───────┘
/// ```
package struct ServerHandshake: Sendable {
    /// What the server does with a packet, or with the outcome of an authentication.
    package enum Action: Sendable, Equatable {
        /// Check user name, password and certificate, then tell ``succeeded(data:)`` or ``failed(_:reason:)``.
        case authenticate(Connect)
        /// Give the data to the authentication method that ``method`` names. `isFirst` starts it anew.
        case exchange(data: ByteBuffer?, isFirst: Bool)
        /// Open the session, then ``acknowledge(sessionPresent:)``.
        case admit(Admission)
        /// Send it.
        case send(Packet)
        /// Send it, and close.
        case refuse(Packet)
        /// Close; in 5.0 with a DISCONNECT of that code first, once connected.
        case violated(MQTTXError)

        package static func == (lhs: Self, rhs: Self) -> Bool {
            switch (lhs, rhs) {
            case (.authenticate(let a), .authenticate(let b)): a == b
            case (.exchange(let a, let b), .exchange(let c, let d)): a == c && b == d
            case (.admit(let a), .admit(let b)): a == b
            case (.send(let a), .send(let b)), (.refuse(let a), .refuse(let b)): a == b
            case (.violated(let a), .violated(let b)): a.code == b.code && a.reasonCode == b.reasonCode
            default: false
            }
        }
    }

    /// What client and server agreed on.
    package struct Admission: Sendable, Equatable {
        package var version: ProtocolVersion
        package var clientID: String
        package var isIDAssigned: Bool
        package var cleanStart: Bool
        package var username: String?
        package var will: Will?
        /// In seconds; 0 for none.
        package var keepAlive: UInt16
        /// In seconds; nil for ever.
        package var sessionExpiry: UInt32?
        /// What the client takes.
        package var receiveMaximum: UInt16
        package var maximumPacketSize: UInt32?
        package var topicAliasMaximum: UInt16
        /// Reason strings and user properties may go on all packets.
        package var wantsProblemInformation: Bool
    }

    private enum Stage: Sendable {
        case waiting
        case authenticating(Connect)
        case exchanging(Connect, isServersTurn: Bool)
        case admitted(Connect, data: ByteBuffer?)
        case connected
        case reauthenticating(isServersTurn: Bool)
        case over
    }

    private let policy: ServerPolicy
    /// The identifier for a client that brings none.
    private let spareID: String
    private var stage = Stage.waiting
    private var admission: Admission?
    /// What the client spoke in its CONNECT.
    package private(set) var version: ProtocolVersion?
    /// The authentication method of the connection, if it has one.
    package private(set) var method: String?

    package init(policy: ServerPolicy, spareID: String) {
        self.policy = policy
        self.spareID = spareID
    }

    package var isConnected: Bool {
        switch stage {
        case .connected, .reauthenticating: true
        default: false
        }
    }

    /// CONNECT came. A second one is a protocol error (MQTT-3.1.0-2). With a refusal it is refused, whatever it says.
    package mutating func received(_ connect: Connect, refusal: (code: ReasonCode, reason: String?)? = nil) -> Action {
        guard case .waiting = stage else { return violation("a second CONNECT") }
        version = connect.version
        if let (code, reason) = refusal ?? objection(to: connect) { return refuse(connect, code, reason) }
        guard let method = connect.properties.authenticationMethod else {
            stage = .authenticating(connect)
            return .authenticate(connect)
        }
        guard policy.authenticationMethods.contains(method) else {
            return refuse(connect, .badAuthenticationMethod, "the authentication method is not known here")
        }
        self.method = method
        stage = .exchanging(connect, isServersTurn: true)
        return .exchange(data: connect.properties.authenticationData, isFirst: true)
    }

    /// AUTH came.
    package mutating func received(_ auth: Auth) -> Action {
        guard let method, auth.properties.authenticationMethod == method else {
            return violation("AUTH without the authentication method of the CONNECT")
        }
        let data = auth.properties.authenticationData
        switch (stage, auth.reasonCode) {
        case (.exchanging(let connect, isServersTurn: false), .continueAuthentication):
            stage = .exchanging(connect, isServersTurn: true)
            return .exchange(data: data, isFirst: false)
        case (.connected, .reAuthenticate):
            stage = .reauthenticating(isServersTurn: true)
            return .exchange(data: data, isFirst: true)
        case (.reauthenticating(isServersTurn: false), .continueAuthentication):
            stage = .reauthenticating(isServersTurn: true)
            return .exchange(data: data, isFirst: false)
        default:
            return violation("AUTH out of turn")
        }
    }

    /// The authentication method wants more from the client.
    package mutating func continues(data: ByteBuffer?) -> Action {
        switch stage {
        case .exchanging(let connect, isServersTurn: true):
            stage = .exchanging(connect, isServersTurn: false)
        case .reauthenticating(isServersTurn: true):
            stage = .reauthenticating(isServersTurn: false)
        default:
            return violation("an authentication goes on that is over")
        }
        return .send(.auth(Auth(reasonCode: .continueAuthentication, properties: authProperties(data))))
    }

    /// The client is who it says. `identity` replaces its user name; a re-authentication as somebody else fails.
    package mutating func succeeded(data: ByteBuffer? = nil, identity: String? = nil) -> Action {
        switch stage {
        case .authenticating(let connect), .exchanging(let connect, _):
            stage = .admitted(connect, data: data)
            let admission = admission(for: connect, identity: identity)
            self.admission = admission
            // The server's to keep: a second copy would outlive it.
            self.admission?.will = nil
            return .admit(admission)
        case .reauthenticating:
            // Session and rights are those of whom the connection began with.
            if let identity, admission?.username?.hasSameBytes(as: identity) != true { return failed(.notAuthorized) }
            stage = .connected
            return .send(.auth(Auth(reasonCode: .success, properties: authProperties(data))))
        default:
            return violation("an authentication ends that is over")
        }
    }

    /// The client is not let in, or not any more.
    package mutating func failed(_ code: ReasonCode, reason: String? = nil) -> Action {
        switch stage {
        case .authenticating(let connect), .exchanging(let connect, _), .admitted(let connect, _):
            return refuse(connect, code, reason)
        default:
            stage = .over
            return .refuse(.disconnect(Disconnect(reasonCode: Self.refusal(code, in: .disconnect))))
        }
    }

    /// The session is open: the CONNACK to send, before anything else (MQTT-3.2.0-1).
    package mutating func acknowledge(sessionPresent: Bool) -> ConnAck {
        guard case .admitted(let connect, let data) = stage, let admission else {
            return ConnAck(reasonCode: .unspecifiedError)
        }
        stage = .connected
        var connack = ConnAck(sessionPresent: sessionPresent)
        guard admission.version == .v5 else { return connack }
        policy.announce(in: &connack.properties)
        if admission.isIDAssigned { connack.properties.assignedClientIdentifier = admission.clientID }
        if admission.keepAlive != connect.keepAlive { connack.properties.serverKeepAlive = admission.keepAlive }
        let asked = connect.properties.sessionExpiryInterval ?? 0
        let granted = admission.sessionExpiry ?? .max
        if granted != asked { connack.properties.sessionExpiryInterval = granted }
        if connect.properties.requestResponseInformation == 1, let information = policy.responseInformation {
            connack.properties.responseInformation = information
        }
        if let method {
            connack.properties.authenticationMethod = method
            connack.properties.authenticationData = data
        }
        return connack
    }
}

extension ServerHandshake {
    /// Why the CONNECT can't be accepted, whoever sends it.
    private func objection(to connect: Connect) -> (code: ReasonCode, reason: String?)? {
        let length = connect.clientID.utf8.count
        if length > policy.maximumClientIDLength {
            return (.clientIdentifierNotValid, "the client identifier is too long")
        }
        if length == 0, connect.version == .v3_1_1, !connect.cleanStart {
            return (.clientIdentifierNotValid, "a session needs a client identifier")
        }
        if let will = connect.will {
            if will.qos > policy.maximumQoS { return (.qosNotSupported, "the will's QoS is not supported") }
            if let limit = policy.maximumPayloadSize, will.payload.readableBytes > limit {
                return (.packetTooLarge, "the will's payload is too large")
            }
            if will.retain && !policy.isRetainAvailable { return (.retainNotSupported, "no message is retained here") }
            if TopicName.belongsToServer(will.topic) {
                return (.topicNameInvalid, "the will's topic belongs to the server")
            }
        }
        return nil
    }

    private func admission(for connect: Connect, identity: String?) -> Admission {
        let isV5 = connect.version == .v5
        let properties = connect.properties
        let keepAlive = isV5 ? policy.keepAlive(connect.keepAlive) : connect.keepAlive
        let asked = isV5 ? properties.sessionExpiryInterval ?? 0 : (connect.cleanStart ? 0 : .max)
        let expiry = policy.sessionExpiry(asked)
        return Admission(
            version: connect.version, clientID: connect.clientID.isEmpty ? spareID : connect.clientID,
            isIDAssigned: connect.clientID.isEmpty, cleanStart: connect.cleanStart,
            username: identity ?? connect.username, will: connect.will, keepAlive: keepAlive, sessionExpiry: expiry,
            receiveMaximum: properties.receiveMaximum ?? .max, maximumPacketSize: properties.maximumPacketSize,
            topicAliasMaximum: properties.topicAliasMaximum ?? 0,
            wantsProblemInformation: properties.requestProblemInformation != 0)
    }

    private func authProperties(_ data: ByteBuffer?) -> Properties {
        .with {
            $0.authenticationMethod = method
            $0.authenticationData = data
        }
    }

    private mutating func refuse(_ connect: Connect, _ code: ReasonCode, _ reason: String?) -> Action {
        stage = .over
        let code = Self.refusal(code, in: .connack)
        var properties = Properties()
        if connect.version == .v5, let reason {
            properties.reasonString = reason
        }
        // 3.1.1 tells a wrong password (4) and not allowed (5) apart; servers answer 5 to both, and clients know that.
        let isOldRefusal = connect.version == .v3_1_1 && code == .badUserNameOrPassword
        return .refuse(
            .connack(ConnAck(reasonCode: isOldRefusal ? .notAuthorized : code, properties: properties)))
    }

    /// Whoever judges may name any code, and the packet can't carry all of them.
    private static func refusal(_ code: ReasonCode, in type: PacketType) -> ReasonCode {
        code.isError && code.isAllowed(in: type) ? code : .notAuthorized
    }

    private mutating func violation(_ message: String) -> Action {
        .violated(MQTTXError(.protocolViolation, message, reasonCode: .protocolError))
    }
}
