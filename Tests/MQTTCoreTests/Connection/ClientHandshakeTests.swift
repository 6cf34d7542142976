import MQTTCore
import NIOCore
import Testing

@Suite("Getting connected, the client's side (sections 3.1, 3.2, 4.12)", .timeLimit(.minutes(2)))
struct ClientHandshakeTests {
    private static let plain = Connect(version: .v5, cleanStart: false, keepAlive: 60, clientID: "c")
    private static let scram = Connect(
        version: .v5, clientID: "c", properties: .with { $0.authenticationMethod = "SCRAM" })

    private func connack(
        _ code: ReasonCode = .success, present: Bool = false, _ set: (inout Properties) -> Void = { _ in }
    )
        -> ConnAck
    {
        var properties = Properties()
        set(&properties)
        return ConnAck(sessionPresent: present, reasonCode: code, properties: properties)
    }

    private func auth(_ code: ReasonCode, _ data: String = "", method: String? = "SCRAM") -> Auth {
        Auth(
            reasonCode: code,
            properties: .with {
                $0.authenticationMethod = method
                $0.authenticationData = ByteBuffer(string: data)
            })
    }

    private func connected(_ connect: Connect) throws -> ClientHandshake {
        var handshake = ClientHandshake(connect: connect)
        _ = try handshake.received(connack { $0.authenticationMethod = connect.properties.authenticationMethod })
        return handshake
    }

    @Test("CONNECT, CONNACK 0: connected, with what the server said [MQTT-3.1.2-21, MQTT-3.2.2-21]")
    func accepted() throws {
        var handshake = ClientHandshake(connect: Self.plain)
        #expect(!handshake.isConnected)
        let answer = connack(present: true) {
            $0.serverKeepAlive = 5
            $0.receiveMaximum = 7
            $0.assignedClientIdentifier = "assigned"
        }
        guard case .connected(let server) = try handshake.received(answer) else { throw Unexpected() }
        #expect(handshake.isConnected)
        #expect(server.sessionPresent && server.keepAlive == 5 && server.receiveMaximum == 7)
        #expect(server.clientID == "assigned")
    }

    @Test("A server that says nothing leaves the specification's defaults, and the client's keep alive")
    func defaults() throws {
        var handshake = ClientHandshake(connect: Self.plain)
        guard case .connected(let server) = try handshake.received(ConnAck()) else { throw Unexpected() }
        #expect(server.keepAlive == 60 && server.receiveMaximum == 65_535 && server.maximumQoS == .exactlyOnce)
        #expect(server.topicAliasMaximum == 0 && server.isRetainAvailable && server.areWildcardsAvailable)
        #expect(server.areSharedSubscriptionsAvailable && server.areSubscriptionIdentifiersAvailable)
        #expect(server.clientID == "c" && server.sessionExpiryInterval == 0)
    }

    @Test(
        "CONNACK with an error: refused, with a code that says what to do",
        arguments: [
            (ReasonCode.notAuthorized, ErrorCode.authenticationFailed), (.badUserNameOrPassword, .authenticationFailed),
            (.badAuthenticationMethod, .authenticationFailed), (.serverBusy, .connectionFailed),
            (.unsupportedProtocolVersion, .connectionFailed), (.packetTooLarge, .packetTooLarge),
            (.topicNameInvalid, .invalidTopic),
        ])
    func refused(reason: ReasonCode, code: ErrorCode) throws {
        var handshake = ClientHandshake(connect: Self.plain)
        let answer = connack(reason) { $0.reasonString = "because" }
        guard case .refused(let error) = try handshake.received(answer) else { throw Unexpected() }
        #expect(error.code == code && error.reasonCode == reason && error.message.contains("because"))
        #expect(!handshake.isConnected)
        #expect(throws: MQTTXError.self) { try handshake.received(ConnAck()) }
    }

    @Test("A CONNACK that can't be is a violation [MQTT-3.2.2-4, MQTT-4.12.0-5]")
    func impossible() throws {
        var fresh = Self.plain
        fresh.cleanStart = true
        var nameless = fresh
        nameless.clientID = ""
        let cases: [(Connect, ConnAck)] = [
            (fresh, connack(present: true)), (nameless, connack()), (Self.scram, connack()),
            (Self.scram, connack { $0.authenticationMethod = "OTHER" }),
        ]
        for (connect, answer) in cases {
            var handshake = ClientHandshake(connect: connect)
            let error = #expect(throws: MQTTXError.self) { try handshake.received(answer) }
            #expect(error?.reasonCode == .protocolError)
            #expect(!handshake.isConnected)
        }
        var twice = try connected(Self.plain)
        #expect(throws: MQTTXError.self) { try twice.received(ConnAck()) }
    }

    @Test("CONNECT, AUTH 0x18 both ways, CONNACK: the method is the CONNECT's throughout [MQTT-4.12.0-3, -5]")
    func challenged() throws {
        var handshake = ClientHandshake(connect: Self.scram)
        for round in ["one", "two"] {
            guard case .challenge(let challenge) = try handshake.received(auth(.continueAuthentication, round)) else {
                throw Unexpected()
            }
            #expect(challenge.properties.authenticationData == ByteBuffer(string: round))
            let answer = handshake.answer(.with { $0.authenticationData = ByteBuffer(string: "answer \(round)") })
            #expect(answer == .auth(auth(.continueAuthentication, "answer \(round)")))
        }
        guard case .connected = try handshake.received(connack { $0.authenticationMethod = "SCRAM" }) else {
            throw Unexpected()
        }
    }

    @Test("An AUTH that nothing asked for, or of another method, is a violation")
    func unexpectedAuth() throws {
        var plain = ClientHandshake(connect: Self.plain)
        #expect(throws: MQTTXError.self) { try plain.received(auth(.continueAuthentication)) }
        var other = ClientHandshake(connect: Self.scram)
        #expect(throws: MQTTXError.self) { try other.received(auth(.continueAuthentication, method: "OTHER")) }
        #expect(throws: MQTTXError.self) { try other.received(auth(.continueAuthentication, method: nil)) }
        #expect(throws: MQTTXError.self) { try other.received(auth(.success)) }
        // A second challenge before the first was answered.
        _ = try other.received(auth(.continueAuthentication))
        #expect(throws: MQTTXError.self) { try other.received(auth(.continueAuthentication)) }
        var done = try connected(Self.scram)
        #expect(throws: MQTTXError.self) { try done.received(auth(.continueAuthentication)) }
    }

    @Test(
        """
        Re-authentication: AUTH 0x19, 0x18 both ways, AUTH 0; one at a time, and only with a method \
        [MQTT-4.12.0-7, MQTT-4.12.1-1]
        """
    )
    func reauthentication() throws {
        var plain = try connected(Self.plain)
        #expect(plain.reauthenticate(.init()) == nil)
        var waiting = ClientHandshake(connect: Self.scram)
        #expect(waiting.reauthenticate(.init()) == nil)

        var handshake = try connected(Self.scram)
        let data = Properties.with { $0.authenticationData = ByteBuffer(string: "first") }
        #expect(handshake.reauthenticate(data) == .auth(auth(.reAuthenticate, "first")))
        #expect(handshake.isConnected)
        #expect(handshake.reauthenticate(data) == nil)
        guard case .challenge = try handshake.received(auth(.continueAuthentication)) else { throw Unexpected() }
        var hasty = handshake
        #expect(throws: MQTTXError.self) { try hasty.received(auth(.continueAuthentication)) }
        #expect(handshake.isConnected)
        #expect(handshake.answer(data) == .auth(auth(.continueAuthentication, "first")))
        guard case .reauthenticated(let last) = try handshake.received(auth(.success, "verifier")) else {
            throw Unexpected()
        }
        #expect(last.properties.authenticationData == ByteBuffer(string: "verifier"))
        #expect(handshake.reauthenticate(data) != nil)
    }

    private struct Unexpected: Error {}
}
