import MQTTCore
import MQTTXBroker
import NIOCore
import TestSupport
import Testing

@Suite("Sessions and the end of connections, by clause (sections 3.12, 3.14, 4.1, 4.13)", .timeLimit(.minutes(2)))
struct ConnectionClauseTests {
    static let violations: [Violation] = [
        Violation("reserved type", .v5, "0000", .malformedPacket),
        Violation("flags of PUBREL (MQTT-3.6.1-1)", .v5, "6002 0001", .malformedPacket),
        Violation("flags of PUBREL (MQTT311-3.6.1-1)", .v3_1_1, "6002 0001"),
        Violation("flags of SUBSCRIBE (MQTT-3.8.1-1)", .v5, "8007 0001 00 0001 61 00", .malformedPacket),
        Violation("flags of SUBSCRIBE (MQTT311-3.8.1-1)", .v3_1_1, "8006 0001 0001 61 00"),
        Violation("flags of UNSUBSCRIBE (MQTT-3.10.1-1)", .v5, "a006 0001 00 0001 61", .malformedPacket),
        Violation("flags of UNSUBSCRIBE (MQTT311-3.10.1-1)", .v3_1_1, "a005 0001 0001 61"),
        Violation("flags of PINGREQ (MQTT311-2.2.2-2)", .v3_1_1, "c100"),
        Violation("flags of DISCONNECT (MQTT-3.14.1-1)", .v5, "e100", .malformedPacket),
        Violation("flags of DISCONNECT (MQTT311-3.14.1-1)", .v3_1_1, "e100"),
        Violation("flags of AUTH (MQTT-3.15.1-1)", .v5, "f100", .malformedPacket),
        Violation("QoS 3 (MQTT-3.3.1-4)", .v5, "3606 0001 61 0001 00", .malformedPacket),
        Violation("QoS 3 (MQTT311-3.3.1-4)", .v3_1_1, "3605 0001 61 0001"),
        Violation("topic that is no UTF-8 (MQTT-1.5.4-1, MQTT-3.3.2-1)", .v5, "3005 0002 c328 00", .malformedPacket),
        Violation("topic that is no UTF-8 (MQTT311-1.5.3-1, MQTT311-3.3.2-1)", .v3_1_1, "3004 0002 c328"),
        Violation("U+0000 in a topic (MQTT-1.5.4-2, MQTT-4.7.3-2)", .v5, "3004 0001 00 00", .malformedPacket),
        Violation("U+0000 in a topic (MQTT311-1.5.3-2, MQTT311-4.7.3-2)", .v3_1_1, "3003 0001 00"),
        Violation("wildcard in a topic (MQTT-3.3.2-2, MQTT-4.7.0-1)", .v5, "3004 0001 2b 00", .topicNameInvalid),
        Violation("wildcard in a topic (MQTT311-3.3.2-2, MQTT311-4.7.1-1)", .v3_1_1, "3003 0001 23"),
        Violation("empty topic (MQTT-4.7.3-1)", .v5, "3003 0000 00", .protocolError),
        Violation("empty topic (MQTT311-4.7.3-1)", .v3_1_1, "3002 0000"),
        Violation("identifier 0 (MQTT-2.2.1-3)", .v5, "3206 0001 61 0000 00", .protocolError),
        Violation("identifier 0 (MQTT311-2.3.1-1)", .v3_1_1, "3205 0001 61 0000"),
        Violation("topic alias 0 (MQTT-3.3.2-8)", .v5, "3007 0001 61 03 23 0000", .topicAliasInvalid),
        Violation("subscription identifier (MQTT-3.3.4-6)", .v5, "3006 0001 61 02 0b 01", .protocolError),
        Violation("response topic with a wildcard (MQTT-3.3.2-14)", .v5, "3008 0001 61 04 08 0001 23", .protocolError),
        Violation("empty response topic (MQTT-4.7.3-1)", .v5, "3007 0001 61 03 08 0000", .protocolError),
        Violation("SUBSCRIBE without a filter (MQTT-3.8.3-2)", .v5, "8203 0001 00", .protocolError),
        Violation("SUBSCRIBE without a filter (MQTT311-3.8.3-3)", .v3_1_1, "8202 0001"),
        Violation("filter that is no UTF-8 (MQTT-3.8.3-1)", .v5, "8208 0001 00 0002 c328 00", .malformedPacket),
        Violation("filter that is no UTF-8 (MQTT311-3.8.3-1)", .v3_1_1, "8207 0001 0002 c328 00"),
        Violation("reserved subscription options (MQTT-3.8.3-5)", .v5, "8207 0001 00 0001 61 c0", .malformedPacket),
        Violation("reserved subscription options (MQTT311-3.8.3-4)", .v3_1_1, "8206 0001 0001 61 10"),
        Violation("subscription at QoS 3 (MQTT311-3.8.3-4)", .v3_1_1, "8206 0001 0001 61 03"),
        Violation("UNSUBSCRIBE without a filter (MQTT-3.10.3-2)", .v5, "a203 0001 00", .protocolError),
        Violation("UNSUBSCRIBE without a filter (MQTT311-3.10.3-2)", .v3_1_1, "a202 0001"),
        Violation("UNSUBSCRIBE that is no UTF-8 (MQTT-3.10.3-1)", .v5, "a207 0001 00 0002 c328", .malformedPacket),
        Violation("UNSUBSCRIBE that is no UTF-8 (MQTT311-3.10.3-1)", .v3_1_1, "a206 0001 0002 c328"),
        Violation("AUTH without a method at CONNECT (MQTT-4.12.0-7)", .v5, "f006 19 04 15 0001 4d", .protocolError),
        Violation("CONNACK of a client", .v5, "2003 00 00 00", .protocolError),
        Violation("PINGRESP of a client", .v3_1_1, "d000"),
    ]

    @Test(
        "A violation closes the connection, in 5.0 with the reason (MQTT-4.13.1-1, MQTT-4.13.2-1, MQTT311-4.8.0-1)",
        arguments: violations)
    func violation(_ example: Violation) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, version: example.version)
            try await client.send(bytes: example.bytes)
            #expect(try await client.closed() == example.code)
        }
    }

    @Test("PINGREQ is answered [MQTT-3.12.4-1, MQTT311-3.12.4-1]", arguments: ProtocolVersion.allCases)
    func ping(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, version: version)
            for _ in 0..<3 {
                try await client.send(.pingreq)
                #expect(try await client.receive() == .pingresp)
            }
        }
    }

    @Test("A client that knows nothing but the specification has all it needs [MQTT311-7.0.0-2]")
    func barestClient() async throws {
        try await withBroker { broker in
            let sent: [[UInt8]] = [
                [0x10, 13, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1, 0x63], [0x82, 6, 0, 1, 0, 1, 0x74, 0],
                [0x32, 6, 0, 1, 0x74, 0, 2, 0x78], [0xC0, 0], [0xE0, 0],
            ]
            let answers: [[UInt8]] = [
                [0x20, 2, 0, 0], [0x90, 3, 0, 1, 0], [0x40, 2, 0, 2], [0x30, 4, 0, 1, 0x74, 0x78], [0xD0, 0],
            ]
            let answer = try await RawBytes.exchange(broker.port, Array(sent.joined()))
            #expect(answer == Array(answers.joined()))
        }
    }

    @Test("Before its CONNACK a client hears of no violation by DISCONNECT [MQTT-3.14.0-1]")
    func noDisconnectBeforeConnAck() async throws {
        try await withBroker({ $0.enhancedAuthenticators = [SCRAMSHA256(users: [:])] }) { broker in
            let client = try await RawClient.open(broker)
            var connect = Connect(version: .v5, clientID: "a")
            connect.properties.authenticationMethod = "SCRAM-SHA-256"
            connect.properties.authenticationData = ByteBuffer(string: "n,,n=user,r=abc")
            try await client.send(.connect(connect))
            guard case .auth = try await client.receive() else { throw RawClientError.unexpected }
            try await client.send(
                .auth(Auth(reasonCode: .continueAuthentication, properties: .with { $0.authenticationMethod = "X" })))
            #expect(try await client.next() == nil)
        }
    }

    @Test(
        """
        A DISCONNECT of the broker is the last it sends, has a reason, and no session expiry [MQTT-3.14.2-2, \
        MQTT-3.14.4-1, -2]
        """
    )
    func disconnectOfTheBroker() async throws {
        try await withBroker { broker in
            let client = try await RawClient.resume(broker, "a")
            try await client.subscribe("t")
            let publisher = try await RawClient.connect(broker)
            _ = try await RawClient.connect(broker, "a", cleanStart: false)
            try await publisher.publish("t", qos: .atLeastOnce)
            guard case .disconnect(let disconnect) = try await client.receive() else { throw RawClientError.unexpected }
            #expect(disconnect.reasonCode == .sessionTakenOver)
            #expect(disconnect.properties.sessionExpiryInterval == nil)
            #expect(try await client.next() == nil)
        }
    }

    @Test(
        """
        A second connection of a client ends the first [MQTT-3.1.3-2, MQTT-3.1.4-3, MQTT311-3.1.3-2, \
        MQTT311-3.1.4-2]
        """, arguments: ProtocolVersion.allCases)
    func takeover(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let first = try await RawClient.resume(broker, "same", version: version)
            try await first.subscribe("t", .init(qos: .atLeastOnce))
            let second = try await RawClient.resume(broker, "same", version: version)
            #expect(try await first.closed() == (version == .v5 ? .sessionTakenOver : nil))
            // The identifier names the session, which has its subscription still.
            try await second.publish("t", "here")
            #expect(try await second.texts(1) == ["here"])
            #expect(broker.statistics.sessions == 1)
        }
    }

    @Test(
        "A session lasts as long as its connection, however soon it ends without [MQTT-4.1.0-1, MQTT311-4.1.0-2]"
    )
    func connectedSession() async throws {
        try await withBroker { broker in
            let clean = try await RawClient.connect(broker, "old", version: .v3_1_1)
            try await clean.subscribe("t", .init(qos: .atLeastOnce))
            let expiring: (inout Properties) -> Void = { $0.sessionExpiryInterval = 1 }
            let first = try await RawClient.connect(broker, "a", properties: expiring)
            try await first.subscribe("t", .init(qos: .atLeastOnce))
            try await first.cut()
            let second = try await RawClient.connect(broker, "a", cleanStart: false, properties: expiring)
            // Two seconds, told by the broker itself.
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("clock")
            let clock = Will(topic: "clock", payload: ByteBuffer(), properties: .with { $0.willDelayInterval = 2 })
            try await RawClient.resume(broker, "clock", will: clock).cut()
            #expect(try await watcher.message().topic == "clock")
            try await watcher.publish("t", "still here", qos: .atLeastOnce)
            #expect(try await second.message().text == "still here")
            #expect(try await clean.message().text == "still here")
        }
    }

    @Test(
        """
        Clean Session ends the session with its connection: nothing is kept for the next [MQTT311-3.1.2-6, \
        MQTT311-3.2.2-3]
        """
    )
    func cleanSession() async throws {
        try await withBroker { broker in
            let first = try await RawClient.connect(broker, "a", version: .v3_1_1)
            try await first.subscribe("t")
            try await first.disconnect()
            let publisher = try await RawClient.connect(broker, version: .v3_1_1)
            try await publisher.publish("t", qos: .atLeastOnce)
            let second = try await RawClient.open(broker, version: .v3_1_1)
            let answer = try await second.handshake(Connect(version: .v3_1_1, cleanStart: false, clientID: "a"))
            #expect(!answer.sessionPresent)
            #expect(try await second.drain().isEmpty)
        }
    }
}
