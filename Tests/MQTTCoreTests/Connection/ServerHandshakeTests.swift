import MQTTCore
import NIOCore
import Testing

@Suite("Getting connected, the server's side (sections 3.1.4, 3.2, 4.12)", .timeLimit(.minutes(2)))
struct ServerHandshakeTests {
    private func handshake(_ change: (inout ServerPolicy) -> Void = { _ in }) -> ServerHandshake {
        var policy = ServerPolicy(authenticationMethods: ["SCRAM"])
        change(&policy)
        return ServerHandshake(policy: policy, spareID: "spare")
    }

    private func connect(_ version: ProtocolVersion = .v5, _ change: (inout Connect) -> Void = { _ in }) -> Connect {
        var connect = Connect(version: version, keepAlive: 30, clientID: "c")
        change(&connect)
        return connect
    }

    private func auth(_ code: ReasonCode, _ data: String? = nil, method: String? = "SCRAM") -> Auth {
        Auth(
            reasonCode: code,
            properties: .with {
                $0.authenticationMethod = method
                $0.authenticationData = data.map { ByteBuffer(string: $0) }
            })
    }

    private func refusal(_ action: ServerHandshake.Action) -> ReasonCode? {
        guard case .refuse(.connack(let connack)) = action, !connack.sessionPresent else { return nil }
        return connack.reasonCode
    }

    private func isViolation(_ action: ServerHandshake.Action) -> Bool {
        if case .violated(let error) = action { error.reasonCode == .protocolError } else { false }
    }

    /// Through CONNECT to CONNACK.
    private func admit(
        _ handshake: inout ServerHandshake, _ connect: Connect, sessionPresent: Bool = false
    ) throws -> (ServerHandshake.Admission, ConnAck) {
        try #require(handshake.received(connect) == .authenticate(connect))
        guard case .admit(let admission) = handshake.succeeded() else { throw Unexpected() }
        return (admission, handshake.acknowledge(sessionPresent: sessionPresent))
    }

    @Test(
        "CONNECT, authenticate, admit, CONNACK [MQTT-3.1.0-2, MQTT-3.1.4-5, MQTT311-3.1.4-4]",
        arguments: ProtocolVersion.allCases)
    func accepted(version: ProtocolVersion) throws {
        var handshake = handshake()
        #expect(!handshake.isConnected && handshake.version == nil)
        let (admission, connack) = try admit(&handshake, connect(version), sessionPresent: true)
        #expect(admission.clientID == "c" && !admission.isIDAssigned && admission.keepAlive == 30)
        #expect(connack.sessionPresent && connack.reasonCode == .success)
        #expect(connack.properties.isEmpty == (version == .v3_1_1))
        #expect(handshake.isConnected)
        #expect(isViolation(handshake.received(connect(version))), "a second CONNECT")
    }

    @Test(
        """
        What is wrong with a CONNECT, whoever sends it, is refused before anyone is asked [MQTT-3.2.2-12, \
        -13, MQTT311-3.2.2-4]
        """
    )
    func objections() {
        let cases: [(ReasonCode, Connect)] = [
            (.clientIdentifierNotValid, connect { $0.clientID = "much too long" }),
            (
                .clientIdentifierNotValid,
                connect(.v3_1_1) {
                    $0.clientID = ""
                    $0.cleanStart = false
                }
            ),
            (.qosNotSupported, connect { $0.will = Will(topic: "w", payload: ByteBuffer(), qos: .exactlyOnce) }),
            (.retainNotSupported, connect { $0.will = Will(topic: "w", payload: ByteBuffer(), retain: true) }),
            (.topicNameInvalid, connect { $0.will = Will(topic: "$SYS/w", payload: ByteBuffer()) }),
            (.badAuthenticationMethod, connect { $0.properties.authenticationMethod = "UNKNOWN" }),
        ]
        for (code, connect) in cases {
            var handshake = handshake {
                $0.maximumClientIDLength = 5
                $0.maximumQoS = .atLeastOnce
                $0.isRetainAvailable = false
            }
            #expect(refusal(handshake.received(connect)) == code)
            #expect(isViolation(handshake.received(connect)), "nothing follows a refusal")
        }
    }

    @Test("Whoever is not let in gets the reason; 3.1.1 hears 5 for a wrong password too [MQTT-3.1.4-2]")
    func refused() {
        var new = handshake()
        _ = new.received(connect())
        #expect(refusal(new.failed(.badUserNameOrPassword, reason: "no")) == .badUserNameOrPassword)
        #expect(isViolation(new.succeeded()))
        var old = handshake()
        _ = old.received(connect(.v3_1_1))
        #expect(refusal(old.failed(.badUserNameOrPassword)) == .notAuthorized)
    }

    @Test("A client without an identifier gets one, and is told in 5.0 [MQTT311-3.1.3-6]")
    func assigned() throws {
        for version in ProtocolVersion.allCases {
            var handshake = handshake()
            let (admission, connack) = try admit(&handshake, connect(version) { $0.clientID = "" })
            #expect(admission.clientID == "spare" && admission.isIDAssigned)
            #expect(connack.properties.assignedClientIdentifier == (version == .v5 ? "spare" : nil))
        }
    }

    @Test(
        """
        Keep alive and session expiry: the client's, unless the server has a limit, which it tells \
        [MQTT-3.2.2-22]
        """
    )
    func limits() throws {
        var free = handshake()
        let (_, plain) = try admit(&free, connect { $0.properties.sessionExpiryInterval = 100 })
        #expect(plain.properties.serverKeepAlive == nil && plain.properties.sessionExpiryInterval == nil)
        for asked: UInt16 in [0, 30] {
            var strict = handshake {
                $0.maximumKeepAlive = 20
                $0.sessionExpiryLimit = 60
            }
            let (admission, connack) = try admit(
                &strict,
                connect {
                    $0.keepAlive = asked
                    $0.properties.sessionExpiryInterval = .max
                })
            #expect(admission.keepAlive == 20 && connack.properties.serverKeepAlive == 20)
            #expect(admission.sessionExpiry == 60 && connack.properties.sessionExpiryInterval == 60)
        }
        var old = handshake { $0.maximumKeepAlive = 20 }
        let (admission, _) = try admit(&old, connect(.v3_1_1) { $0.cleanStart = false })
        #expect(admission.keepAlive == 30 && admission.sessionExpiry == nil)
    }

    @Test("Response information is for those who ask [MQTT-3.1.2-28]")
    func responseInformation() throws {
        for (asked, expected) in [(nil, nil), (0, nil), (1, "answers/")] as [(UInt8?, String?)] {
            var handshake = handshake { $0.responseInformation = "answers/" }
            let (_, connack) = try admit(
                &handshake, connect { $0.properties.requestResponseInformation = asked })
            #expect(connack.properties.responseInformation == expected)
        }
    }

    @Test(
        """
        CONNECT with a method, AUTH 0x18 both ways, CONNACK: the method is the CONNECT's throughout \
        [MQTT-4.12.0-2, -5]
        """
    )
    func exchange() throws {
        var handshake = handshake()
        let first = connect {
            $0.properties.authenticationMethod = "SCRAM"
            $0.properties.authenticationData = ByteBuffer(string: "one")
        }
        #expect(handshake.received(first) == .exchange(data: ByteBuffer(string: "one"), isFirst: true))
        #expect(
            handshake.continues(data: ByteBuffer(string: "challenge"))
                == .send(.auth(auth(.continueAuthentication, "challenge"))))
        #expect(
            handshake.received(auth(.continueAuthentication, "two"))
                == .exchange(data: ByteBuffer(string: "two"), isFirst: false))
        guard case .admit(let admission) = handshake.succeeded(data: ByteBuffer(string: "ok"), identity: "ann") else {
            throw Unexpected()
        }
        #expect(admission.username == "ann")
        let connack = handshake.acknowledge(sessionPresent: false)
        #expect(connack.properties.authenticationMethod == "SCRAM")
        #expect(connack.properties.authenticationData == ByteBuffer(string: "ok"))
    }

    @Test("An exchange can be refused at any point, with a CONNACK before it and a DISCONNECT after [MQTT-4.12.0-4]")
    func exchangeRefused() throws {
        var handshake = handshake()
        _ = handshake.received(connect { $0.properties.authenticationMethod = "SCRAM" })
        _ = handshake.continues(data: nil)
        #expect(refusal(handshake.failed(.notAuthorized)) == .notAuthorized)
        var connected = try reauthenticating()
        #expect(connected.failed(.notAuthorized) == .refuse(.disconnect(Disconnect(reasonCode: .notAuthorized))))
    }

    private func reauthenticating(as identity: String? = nil) throws -> ServerHandshake {
        var handshake = handshake()
        _ = handshake.received(connect { $0.properties.authenticationMethod = "SCRAM" })
        guard case .admit = handshake.succeeded(identity: identity) else { throw Unexpected() }
        _ = handshake.acknowledge(sessionPresent: false)
        #expect(
            handshake.received(auth(.reAuthenticate, "x")) == .exchange(data: ByteBuffer(string: "x"), isFirst: true))
        #expect(handshake.isConnected)
        return handshake
    }

    @Test("Re-authentication: AUTH 0x19, 0x18 both ways, AUTH 0, and again")
    func reauthentication() throws {
        var handshake = try reauthenticating()
        #expect(handshake.continues(data: nil) == .send(.auth(auth(.continueAuthentication))))
        #expect(handshake.received(auth(.continueAuthentication)) == .exchange(data: nil, isFirst: false))
        #expect(handshake.succeeded() == .send(.auth(auth(.success))))
        #expect(handshake.received(auth(.reAuthenticate)) == .exchange(data: nil, isFirst: true))
    }

    @Test("Who authenticates anew as somebody else is disconnected; session and rights are those of the first")
    func otherIdentity() throws {
        for identity in [nil, "one"] {
            var same = try reauthenticating(as: "one")
            #expect(same.succeeded(identity: identity) == .send(.auth(auth(.success))))
        }
        for (first, second) in [("one", "two"), ("caf\u{E9}", "cafe\u{301}"), (nil, "two")] {
            var other = try reauthenticating(as: first)
            #expect(
                other.succeeded(identity: second) == .refuse(.disconnect(Disconnect(reasonCode: .notAuthorized))))
            #expect(!other.isConnected)
        }
    }

    @Test("AUTH out of turn, of another method, or without one at CONNECT is a protocol error [MQTT-4.12.0-6]")
    func authOutOfTurn() throws {
        var plain = handshake()
        _ = plain.received(connect())
        #expect(isViolation(plain.received(auth(.continueAuthentication))))
        _ = plain.succeeded()
        let connack = plain.acknowledge(sessionPresent: false)
        #expect(connack.properties.authenticationMethod == nil, "none is named to a client that named none")
        #expect(isViolation(plain.received(auth(.reAuthenticate))))

        var exchanging = handshake()
        _ = exchanging.received(connect { $0.properties.authenticationMethod = "SCRAM" })
        #expect(isViolation(exchanging.received(auth(.continueAuthentication))), "it is the server's turn")
        _ = exchanging.continues(data: nil)
        #expect(isViolation(exchanging.received(auth(.continueAuthentication, method: "OTHER"))))
        #expect(isViolation(exchanging.received(auth(.reAuthenticate))), "not connected yet")
    }

    private struct Unexpected: Error {}
}
