import Logging
import MQTTCore
import MQTTNetwork
import NIOCore
import Synchronization

// CONNECT, AUTH and CONNACK: carries out what ``ServerHandshake`` says.
extension ClientConnection {
    func act(on action: ServerHandshake.Action) {
        switch action {
        case .authenticate(let connect): authenticate(connect)
        case .exchange(let data, let isFirst): exchangeData(data, isFirst: isFirst)
        case .admit(let admission): admit(admission)
        case .send(let packet): send(packet)
        case .refuse(let packet): refuse(packet)
        case .violated(let error): fail(error)
        }
    }

    // MARK: User name and password

    private func authenticate(_ connect: Connect) {
        let attempt = makeAttempt(connect.clientID, connect)
        if attempt.certificateCommonName != nil, broker.config.usesCertificateAsIdentity {
            return act(on: handshake.succeeded(identity: attempt.certificateCommonName))
        }
        guard connect.username != nil else {
            guard broker.allowsAnonymous(origin) else {
                return act(on: handshake.failed(.notAuthorized, reason: "anonymous clients are not let in"))
            }
            return act(on: handshake.succeeded())
        }
        guard let authenticator = broker.config.authenticator else {
            guard broker.allowsAnonymous(origin) else {
                return act(on: handshake.failed(.badUserNameOrPassword, reason: "no passwords are set up"))
            }
            return act(on: handshake.succeeded())
        }
        isAuthenticating = true
        authentication = Task { [loop] in
            let result = await authenticator.authenticate(attempt)
            loop.eventLoop.execute { self.authenticated(result) }
        }
    }

    private func makeAttempt(_ clientID: String, _ connect: Connect) -> ConnectAttempt {
        let attempt = ConnectAttempt(
            clientID: clientID, username: connect.username,
            password: connect.password.map { Array($0.readableBytesView) },
            version: connect.version, remoteAddress: origin.remoteAddress,
            certificateCommonName: transport?.peerCertificate?.commonName)
        self.attempt = attempt
        return attempt
    }

    private func authenticated(_ result: AuthenticationResult) {
        guard stage == .handshake, isAuthenticating else { return }
        isAuthenticating = false
        authentication = nil
        switch result {
        case .accepted(let identity): act(on: handshake.succeeded(identity: identity))
        case .refused(let code, let reason): act(on: handshake.failed(code, reason: reason))
        }
        drain()
    }

    // MARK: Enhanced authentication

    private func exchangeData(_ data: ByteBuffer?, isFirst: Bool) {
        if isFirst { exchange = beginExchange() }
        guard var exchange else { return act(on: handshake.failed(.badAuthenticationMethod)) }
        isAuthenticating = true
        let bytes = data.map { Array($0.readableBytesView) }
        authentication = Task { [loop] in
            let step = await exchange.receive(bytes)
            let next = exchange
            loop.eventLoop.execute { self.exchanged(step, next) }
        }
    }

    private func beginExchange() -> (any EnhancedAuthentication)? {
        let attempt =
            attempt
            ?? ConnectAttempt(
                clientID: identity.clientID, version: encoder.version, remoteAddress: origin.remoteAddress,
                certificateCommonName: transport?.peerCertificate?.commonName)
        return broker.config.enhancedAuthenticators.first { $0.method == handshake.method }?.begin(attempt)
    }

    private func exchanged(_ step: EnhancedAuthenticationStep, _ next: any EnhancedAuthentication) {
        guard stage == .handshake || stage == .connected, isAuthenticating else { return }
        isAuthenticating = false
        authentication = nil
        exchange = next
        switch step {
        case .challenge(let data): act(on: handshake.continues(data: ByteBuffer(bytes: data)))
        case .accepted(let identity, let data):
            act(on: handshake.succeeded(data: data.map { ByteBuffer(bytes: $0) }, identity: identity))
            exchange = nil
        case .refused(let code, let reason):
            act(on: handshake.failed(code, reason: reason))
        }
        drain()
    }

    // MARK: Admission

    private func admit(_ admission: ServerHandshake.Admission) {
        identity = ClientIdentity(clientID: admission.clientID, username: admission.username)
        if let will = admission.will, let authorizer = broker.config.authorizer,
            !authorizer.mayPublish(will.topic, by: identity)
        {
            return act(on: handshake.failed(.notAuthorized, reason: "the will's topic is not allowed"))
        }
        let will = admission.will.flatMap { PendingWill($0, account: broker.wills) }
        if will == nil, admission.will != nil {
            return act(on: handshake.failed(.quotaExceeded, reason: "there is no room for the will"))
        }
        attempt = nil
        guard let isPresent = broker.enter(self, admission) else {
            return act(on: handshake.failed(.quotaExceeded, reason: "too many sessions"))
        }
        trace?.name(identity.clientID)
        self.will = will
        sessionExpiry = admission.sessionExpiry
        stage = .connected
        guard encode(handshake.acknowledge(sessionPresent: isPresent)) else {
            return refuse(.connack(ConnAck(reasonCode: .packetTooLarge)))
        }
        startKeepAlive(admission.keepAlive)
        wake()
        drain()
    }

    /// - Returns: whether the CONNACK fits what the client takes, without what may be left out if need be.
    private func encode(_ connack: ConnAck) -> Bool {
        if (try? encoder.encode(.connack(connack), into: &output)) != nil { return true }
        var connack = connack
        connack.properties.responseInformation = nil
        return (try? encoder.encode(.connack(connack), into: &output)) != nil
    }

    /// The CONNECT, or what came in its place, can't be read.
    func refuseMalformed(_ error: MQTTXError) {
        broker.counters.violations.count()
        ending = "no valid CONNECT: \(error.message)"
        let level = transport?.decoder.requestedProtocolLevel
        if error.reasonCode == .unsupportedProtocolVersion {
            // In the form that the client may understand: that of 3.1.1 up to its level, that of 5.0 above.
            encoder = PacketEncoder(version: level ?? 0 >= 5 ? .v5 : .v3_1_1)
            return refuse(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
        }
        guard level == 5 else {
            stage = .closing
            transport?.close(error)
            return
        }
        encoder = PacketEncoder(version: .v5)
        refuse(.connack(ConnAck(reasonCode: error.reasonCode ?? .malformedPacket)))
    }
}
