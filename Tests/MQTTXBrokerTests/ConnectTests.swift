import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("CONNECT and CONNACK", .timeLimit(.minutes(2)))
struct ConnectTests {
    @Test("A first packet other than CONNECT closes the connection [MQTT-3.1.0-1, MQTT311-3.1.0-1]")
    func firstPacketIsConnect() async throws {
        try await withBroker { broker in
            let client = try await RawClient.open(broker)
            try await client.send(.pingreq)
            #expect(try await client.closed() == nil)
        }
    }

    @Test("A second CONNECT is a protocol error [MQTT-3.1.0-2, MQTT311-3.1.0-2]", arguments: ProtocolVersion.allCases)
    func secondConnect(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, "twice", version: version)
            try await client.send(.connect(Connect(version: version, clientID: "twice")))
            #expect(try await client.closed() == (version == .v5 ? .protocolError : nil))
        }
    }

    @Test("An unknown protocol level is answered 0x01 below 5 and 0x84 above [MQTT-3.1.2-2, MQTT311-3.1.2-2]")
    func unknownLevel() async throws {
        try await withBroker { broker in
            for (level, answer) in [(3, [0x20, 2, 0, 1]), (9, [0x20, 3, 0, 0x84, 0])] as [(UInt8, [UInt8])] {
                let bytes = try await RawBytes.exchange(
                    broker.port, [0x10, 12, 0, 4] + Array("MQTT".utf8) + [level, 2, 0, 60, 0, 0])
                #expect(bytes == answer)
            }
        }
    }

    @Test("A bridge that says so gets nothing of its own back, and RETAIN as it was published")
    func bridge() async throws {
        try await withBroker { broker in
            let bridge = try await RawClient.open(broker, version: .v3_1_1)
            try await bridge.send(bytes: [0x10, 13, 0, 4] + Array("MQTT".utf8) + [0x84, 2, 0, 60, 0, 1, 0x62])
            #expect(try await bridge.receive() == .connack(ConnAck()))
            #expect(try await bridge.subscribe([.init("a/#"), .init("$share/group/b")]) == [.success, .success])
            try await bridge.send(.publish(Publish(topic: "a/own", payload: ByteBuffer())))
            let other = try await RawClient.connect(broker)
            try await other.publish("a/other", retain: true)
            let message = try await bridge.message()
            #expect(message.topic == "a/other" && message.retain)
            try await bridge.publish("b")
            #expect(try await bridge.message().topic == "b")
        }
    }

    @Test("An empty client identifier without a clean session is refused with 0x02 [MQTT311-3.1.3-8]")
    func emptyIdentifier() async throws {
        try await withBroker { broker in
            let client = try await RawClient.open(broker, version: .v3_1_1)
            let answer = try await client.handshake(Connect(version: .v3_1_1, cleanStart: false))
            #expect(answer.reasonCode == .clientIdentifierNotValid)
            try await client.closed()
        }
    }

    @Test("An empty client identifier gets one assigned [MQTT-3.1.3-6]")
    func assignedIdentifier() async throws {
        try await withBroker { broker in
            let client = try await RawClient.open(broker)
            let answer = try await client.handshake(Connect(version: .v5))
            #expect(answer.properties.assignedClientIdentifier?.isEmpty == false)
        }
    }

    @Test("The limits are announced, and those not offered are said [MQTT-3.2.2-9]")
    func announcements() async throws {
        try await withBroker({
            $0.maximumQoS = .atLeastOnce
            $0.isRetainAvailable = false
            $0.areWildcardsAvailable = false
            $0.areSharedSubscriptionsAvailable = false
            $0.maximumKeepAlive = 30
            $0.sessionExpiryLimit = 60
            $0.responseInformation = "answers/"
        }) { broker in
            let client = try await RawClient.open(broker)
            var connect = Connect(version: .v5, keepAlive: 100, clientID: "a")
            connect.properties.sessionExpiryInterval = 1000
            connect.properties.requestResponseInformation = 1
            let properties = try await client.handshake(connect).properties
            #expect(properties.maximumQoS == 1)
            #expect(properties.retainAvailable == 0)
            #expect(properties.wildcardSubscriptionAvailable == 0)
            #expect(properties.sharedSubscriptionAvailable == 0)
            #expect(properties.serverKeepAlive == 30)
            #expect(properties.sessionExpiryInterval == 60)
            #expect(properties.responseInformation == "answers/")
            #expect(properties.maximumPacketSize == 2 << 20)
            #expect((20...1000).contains(properties.receiveMaximum ?? 0))
            #expect((properties.topicAliasMaximum ?? 0) >= 10)
        }
    }

    @Test("A maximum keep alive is no reason to refuse a client of 3.1.1")
    func keepAliveOldVersion() async throws {
        try await withBroker({ $0.maximumKeepAlive = 30 }) { broker in
            _ = try await RawClient.connect(broker, "a", version: .v3_1_1, keepAlive: 0)
        }
    }

    @Test("An authentication method nobody knows is refused with 0x8C [MQTT-4.12.0-1]")
    func unknownMethod() async throws {
        try await withBroker { broker in
            let client = try await RawClient.open(broker)
            var connect = Connect(version: .v5, clientID: "a")
            connect.properties.authenticationMethod = "NOBODY-KNOWS"
            #expect(try await client.handshake(connect).reasonCode == .badAuthenticationMethod)
            try await client.closed()
        }
    }

    @Test("A second connection takes the session over; the first is told 0x8E [MQTT-3.1.4-3]")
    func takeover() async throws {
        try await withBroker { broker in
            let first = try await RawClient.connect(broker, "same")
            let second = try await RawClient.connect(broker, "same")
            #expect(try await first.closed() == .sessionTakenOver)
            #expect(try await second.drain().isEmpty)
            #expect(broker.statistics.sessions == 1)
        }
    }

    @Test(
        """
        Nothing for one and a half times the keep alive ends the connection [MQTT-3.1.2-22, MQTT-3.2.2-22, \
        MQTT311-3.1.2-24]
        """
    )
    func keepAlive() async throws {
        try await withBroker { broker in
            let start = ContinuousClock.now
            let client = try await RawClient.connect(broker, "silent", keepAlive: 1)
            #expect(try await client.closed() == .keepAliveTimeout)
            let elapsed = start.duration(to: .now)
            #expect(elapsed > .milliseconds(1400) && elapsed < .seconds(4))
        }
    }

    @Test("A client that sends no CONNECT is closed after the timeout")
    func connectTimeout() async throws {
        try await withBroker({ $0.connectTimeout = .milliseconds(200) }) { broker in
            try await RawClient.open(broker).closed()
        }
    }

    @Test("Client identifiers of 65,535 bytes of any UTF-8 and thousands of user properties are taken [MQTT-3.1.3-5]")
    func generousLimits() async throws {
        try await withBroker { broker in
            let id = String(repeating: "é", count: 32_767)
            let client = try await RawClient.connect(broker, id) { properties in
                properties.userProperties = (0..<5000).map { UserProperty("name\($0)", "value") }
            }
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test("Client identifiers that look alike but differ in bytes are two clients [MQTT-1.5.4-3]")
    func noNormalization() async throws {
        try await withBroker { broker in
            let composed = try await RawClient.connect(broker, "caf\u{E9}")
            _ = try await RawClient.connect(broker, "cafe\u{301}")
            #expect(try await composed.drain().isEmpty)
            #expect(broker.statistics.sessions == 2)
        }
    }

    @Test("Stopping tells clients of 5.0 that the server shuts down, and may be repeated")
    func stopping() async throws {
        let broker = try await Broker.start()
        let client = try await RawClient.connect(broker, "a")
        async let code = client.closed()
        try await broker.stop()
        try await broker.stop()
        #expect(try await code == .serverShuttingDown)
    }

    @Test("Anonymous clients are refused where the configuration says so")
    func anonymous() async throws {
        try await withBroker({ $0.anonymous = .never }) { broker in
            let new = try await RawClient.open(broker)
            #expect(try await new.handshake(Connect(version: .v5, clientID: "a")).reasonCode == .notAuthorized)
            let old = try await RawClient.open(broker, version: .v3_1_1)
            #expect(try await old.handshake(Connect(version: .v3_1_1, clientID: "a")).reasonCode == .notAuthorized)
        }
    }

    @Test("Anonymous clients are refused on a listener that is not loopback, unless allowed by name")
    func anonymousFromOutside() async throws {
        for access in [BrokerConfig.AnonymousAccess.onLoopback, .always] {
            try await withBroker({
                $0.listeners = [.tcp(host: "0.0.0.0")]
                $0.anonymous = access
            }) { broker in
                let client = try await RawClient.open(broker)
                let answer = try await client.handshake(Connect(version: .v5, clientID: "a"))
                #expect(answer.reasonCode == (access == .always ? .success : .notAuthorized))
            }
        }
    }
}
