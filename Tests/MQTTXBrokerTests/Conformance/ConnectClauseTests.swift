import MQTTCore
import MQTTXBroker
import NIOCore
import TestSupport
import Testing

@Suite("CONNECT and CONNACK, by clause (sections 3.1, 3.2)", .timeLimit(.minutes(2)))
struct ConnectClauseTests {
    /// The variable header and payload of a CONNECT that breaks a rule.
    struct Malformed: Sendable, CustomStringConvertible {
        let description: String
        let level: UInt8
        let hex: String
        /// What 5.0 is told; nil for 3.1.1, where the connection closes without a word.
        let code: UInt8?

        init(_ description: String, _ level: UInt8, _ hex: String, _ code: UInt8? = nil) {
            self.description = description
            self.level = level
            self.hex = hex
            self.code = code
        }

        var bytes: [UInt8] {
            let rest = [UInt8](hex: hex)
            return [0x10, UInt8(7 + rest.count), 0, 4] + Array("MQTT".utf8) + [level] + rest
        }
    }

    static let examples: [Malformed] = [
        Malformed("reserved flag (MQTT311-3.1.2-3)", 4, "03 0000 0001 63"),
        Malformed("reserved flag (MQTT-3.1.2-3)", 5, "03 0000 00 0001 63", 0x81),
        Malformed("will at QoS 3 (MQTT311-3.1.2-14)", 4, "1e 0000 0001 63 0001 77 0001 78"),
        Malformed("will at QoS 3 (MQTT-3.1.2-12)", 5, "1e 0000 00 0001 63 00 0001 77 0001 78", 0x81),
        Malformed("will QoS without a will (MQTT311-3.1.2-11, -13)", 4, "0a 0000 0001 63"),
        Malformed("will QoS without a will (MQTT-3.1.2-11)", 5, "0a 0000 00 0001 63", 0x81),
        Malformed("will retain without a will (MQTT311-3.1.2-15)", 4, "22 0000 0001 63"),
        Malformed("will retain without a will (MQTT-3.1.2-13)", 5, "22 0000 00 0001 63", 0x81),
        Malformed("will missing (MQTT311-3.1.2-9)", 4, "06 0000 0001 63"),
        Malformed("will message missing (MQTT-3.1.2-9)", 5, "06 0000 00 0001 63 00 0001 77", 0x81),
        Malformed("user name that no flag announces (MQTT311-3.1.2-18)", 4, "02 0000 0001 63 0001 75"),
        Malformed("user name that no flag announces (MQTT-3.1.2-16)", 5, "02 0000 00 0001 63 0001 75", 0x81),
        Malformed("user name missing (MQTT311-3.1.2-19)", 4, "82 0000 0001 63"),
        Malformed("user name missing (MQTT-3.1.2-17)", 5, "82 0000 00 0001 63", 0x81),
        Malformed("password that no flag announces (MQTT311-3.1.2-20)", 4, "82 0000 0001 63 0001 75 0001 70"),
        Malformed("password that no flag announces (MQTT-3.1.2-18)", 5, "82 0000 00 0001 63 0001 75 0001 70", 0x81),
        Malformed("password missing (MQTT311-3.1.2-21)", 4, "c2 0000 0001 63 0001 75"),
        Malformed("password missing (MQTT-3.1.2-19)", 5, "c2 0000 00 0001 63 0001 75", 0x81),
        Malformed("password without a user name (MQTT311-3.1.2-22)", 4, "42 0000 0001 63 0001 70"),
        Malformed("no client identifier (MQTT311-3.1.3-3)", 4, "02 0000"),
        Malformed("no client identifier (MQTT-3.1.3-3)", 5, "02 0000 00", 0x81),
        Malformed("client identifier that is no UTF-8 (MQTT311-3.1.3-4)", 4, "02 0000 0002 c328"),
        Malformed("client identifier that is no UTF-8 (MQTT-3.1.3-4)", 5, "02 0000 00 0002 c328", 0x81),
        Malformed("will topic that is no UTF-8 (MQTT311-3.1.3-10)", 4, "06 0000 0001 63 0001 ff 0001 78"),
        Malformed("will topic that is no UTF-8 (MQTT-3.1.3-11)", 5, "06 0000 00 0001 63 00 0001 ff 0001 78", 0x81),
        Malformed("user name that is no UTF-8 (MQTT311-3.1.3-11)", 4, "82 0000 0001 63 0001 ff"),
        Malformed("user name that is no UTF-8 (MQTT-3.1.3-12)", 5, "82 0000 00 0001 63 0001 ff", 0x81),
        Malformed("receive maximum 0", 5, "02 0000 03 21 0000 0001 63", 0x82),
    ]

    @Test(
        "A malformed CONNECT ends the connection, 5.0 hears why (MQTT-3.1.4-1, MQTT311-3.1.4-1, MQTT311-3.2.2-6)",
        arguments: examples)
    func malformed(_ example: Malformed) async throws {
        try await withBroker { broker in
            let answer = try await RawBytes.exchange(broker.port, example.bytes)
            #expect(answer == example.code.map { [0x20, 3, 0, $0, 0] } ?? [])
        }
    }

    @Test("A protocol name other than MQTT is refused and the connection closed [MQTT-3.1.2-1, MQTT311-3.1.2-1]")
    func protocolName() async throws {
        try await withBroker { broker in
            let name = [0, 4] + Array("MQTX".utf8)
            let old = try await RawBytes.exchange(broker.port, [0x10, 13] + name + [4, 2, 0, 60, 0, 1, 0x63])
            #expect(old == [0x20, 2, 0, 1])
            let new = try await RawBytes.exchange(broker.port, [0x10, 14] + name + [5, 2, 0, 60, 0, 0, 1, 0x63])
            #expect(new == [0x20, 3, 0, 0x84, 0])
        }
    }

    @Test(
        "Client identifiers of 1 to 23 letters and digits are taken [MQTT-3.1.3-5, MQTT311-3.1.3-5]",
        arguments: ProtocolVersion.allCases)
    func usualIdentifiers(version: ProtocolVersion) async throws {
        let letters = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        var identifiers = (1...23).map { String(letters[..<$0]) }
        identifiers += [String(letters[22..<45]), String(letters[39..<62])]
        try await withBroker { broker in
            for identifier in identifiers {
                _ = try await RawClient.connect(broker, identifier, version: version)
            }
            #expect(broker.statistics.sessions == identifiers.count)
        }
    }

    @Test(
        """
        A client identifier that is refused is answered, and the connection closed [MQTT-3.1.3-8, \
        MQTT311-3.1.3-9]
        """
    )
    func refusedIdentifier() async throws {
        try await withBroker({ $0.maximumClientIDLength = 5 }) { broker in
            for version in ProtocolVersion.allCases {
                let client = try await RawClient.open(broker, version: version)
                let answer = try await client.handshake(Connect(version: version, clientID: "longer"))
                #expect(answer.reasonCode == .clientIdentifierNotValid)
                #expect(try await client.closed() == nil)
            }
        }
    }

    @Test("Assigned client identifiers are unique, and as good as one's own [MQTT-3.1.3-7, MQTT-3.2.2-16]")
    func assignedIdentifiers() async throws {
        try await withBroker { broker in
            var assigned: [String] = []
            var clients: [RawClient] = []
            for _ in 0..<3 {
                let client = try await RawClient.open(broker)
                let answer = try await client.handshake(Connect(version: .v5))
                assigned.append(try #require(answer.properties.assignedClientIdentifier))
                clients.append(client)
            }
            #expect(Set(assigned).count == 3)
            _ = try await RawClient.connect(broker, assigned[1])
            #expect(try await clients[1].closed() == .sessionTakenOver)
            #expect(try await clients[0].drain().isEmpty)
        }
    }

    @Test("A client of 3.1.1 without an identifier has a session of its own [MQTT311-3.1.3-6]")
    func unnamedOldClients() async throws {
        try await withBroker { broker in
            let first = try await RawClient.connect(broker, version: .v3_1_1)
            let second = try await RawClient.connect(broker, version: .v3_1_1)
            #expect(try await first.drain().isEmpty)
            #expect(try await second.drain().isEmpty)
            #expect(broker.statistics.sessions == 2)
        }
    }

    @Test(
        """
        What follows a refused CONNECT is not looked at [MQTT-3.1.4-6, MQTT-3.2.2-7, MQTT311-3.1.4-5, \
        MQTT311-3.2.2-5]
        """,
        arguments: ProtocolVersion.allCases)
    func nothingAfterRefusal(version: ProtocolVersion) async throws {
        try await withBroker({ $0.maximumClientIDLength = 5 }) { broker in
            let client = try await RawClient.open(broker, version: version)
            try await client.send(
                .connect(Connect(version: version, clientID: "longer")),
                .publish(Publish(topic: "t", payload: ByteBuffer(string: "x"), retain: true)))
            guard case .connack(let connack) = try await client.receive() else { throw RawClientError.unexpected }
            #expect(connack.reasonCode == .clientIdentifierNotValid && !connack.sessionPresent)
            #expect(try await client.next() == nil)
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("t")
            #expect(try await watcher.drain().isEmpty)
        }
    }

    @Test(
        "CONNACK comes first, once, whatever was sent with the CONNECT [MQTT-3.2.0-1, -2, MQTT311-3.2.0-1]",
        arguments: ProtocolVersion.allCases)
    func connackFirst(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("r", "kept", qos: .atLeastOnce, retain: true)
            let client = try await RawClient.open(broker, version: version)
            try await client.send(
                .connect(Connect(version: version, clientID: "eager")),
                .subscribe(Subscribe(packetID: 1, filters: [.init("r")])),
                .publish(Publish(topic: "r", payload: ByteBuffer(string: "own"))))
            guard case .connack = try await client.receive() else { throw RawClientError.unexpected }
            guard case .suback = try await client.receive() else { throw RawClientError.unexpected }
            #expect(try await client.texts(2) == ["kept", "own"])
            try await client.send(.connect(Connect(version: version, clientID: "eager")))
            while let packet = try await client.next() {
                if case .connack = packet { Issue.record("a second CONNACK") }
            }
        }
    }

    @Test("A will that the broker can't publish refuses the connection [MQTT-3.2.2-12, -13]")
    func refusedWill() async throws {
        try await withBroker({
            $0.maximumQoS = .atLeastOnce
            $0.isRetainAvailable = false
        }) { broker in
            let wills: [(Will, ReasonCode)] = [
                (Will(topic: "w", payload: ByteBuffer(), qos: .exactlyOnce), .qosNotSupported),
                (Will(topic: "w", payload: ByteBuffer(), retain: true), .retainNotSupported),
            ]
            for (will, code) in wills {
                let client = try await RawClient.open(broker)
                let answer = try await client.handshake(Connect(version: .v5, clientID: "a", will: will))
                #expect(answer.reasonCode == code)
                try await client.closed()
            }
        }
    }

    @Test("A broker of QoS 0 alone says so, and still takes subscriptions of every QoS [MQTT-3.2.2-9, -10]")
    func lowMaximumQoS() async throws {
        try await withBroker({ $0.maximumQoS = .atMostOnce }) { broker in
            let client = try await RawClient.open(broker)
            let answer = try await client.handshake(Connect(version: .v5, clientID: "a"))
            #expect(answer.properties.maximumQoS == 0)
            for qos in QoS.allCases { #expect(try await client.subscribe("t", .init(qos: qos)) == .success) }
        }
    }

    @Test("A CONNACK is no larger than the client takes [MQTT-3.1.2-24, MQTT-3.2.2-19, -20]")
    func smallConnAck() async throws {
        try await withBroker { broker in
            func connect(_ size: UInt32, method: String? = nil) async throws -> (RawClient, Packet?) {
                let client = try await RawClient.open(broker)
                var connect = Connect(version: .v5, clientID: "a")
                connect.properties.maximumPacketSize = size
                connect.properties.authenticationMethod = method
                try await client.send(.connect(connect))
                return (client, try await client.next())
            }
            let (_, refusal) = try await connect(8, method: "NOBODY-KNOWS")
            #expect(refusal == .connack(ConnAck(reasonCode: .badAuthenticationMethod)))
            let (whole, connack) = try await connect(30)
            guard case .connack? = connack else { throw RawClientError.unexpected }
            #expect(try await whole.drain().isEmpty)
            // No room for what the client has to be told: no connection.
            let (_, tooSmall) = try await connect(8)
            #expect(tooSmall == .connack(ConnAck(reasonCode: .packetTooLarge)))
        }
    }

    @Test(
        """
        A refused password closes the connection, and says nothing of the session that is kept \
        [MQTT-3.1.4-2, MQTT-3.2.2-6, MQTT311-3.2.2-4]
        """, arguments: ProtocolVersion.allCases)
    func refusedPassword(version: ProtocolVersion) async throws {
        try await withBroker({ $0.authenticator = OnePassword() }) { broker in
            func connect(_ password: String) async throws -> (RawClient, ConnAck) {
                let client = try await RawClient.open(broker, version: version)
                var connect = Connect(version: version, cleanStart: false, clientID: "a", username: "u")
                connect.password = ByteBuffer(string: password)
                if version == .v5 { connect.properties.sessionExpiryInterval = 100 }
                return (client, try await client.handshake(connect))
            }
            try await connect("right").0.disconnect()
            let (client, refusal) = try await connect("wrong")
            #expect(refusal.reasonCode.isError && !refusal.sessionPresent)
            #expect(try await client.closed() == nil)
            let (_, answer) = try await connect("right")
            #expect(answer.sessionPresent)
        }
    }

    private struct OnePassword: Authenticator {
        func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult {
            attempt.password == Array("right".utf8) ? .accepted() : .refused(.badUserNameOrPassword)
        }
    }

    @Test("Without problem information acknowledgements carry no properties [MQTT-3.1.2-29]")
    func noProblemInformation() async throws {
        try await withBroker({ $0.deniedFilters = ["no"] }) { broker in
            let client = try await RawClient.connect(broker) { $0.requestProblemInformation = 0 }
            try await client.send(
                .subscribe(Subscribe(packetID: 1, filters: [.init("no")])),
                .unsubscribe(Unsubscribe(packetID: 2, filters: ["no"])),
                .publish(Publish(topic: "$SYS/x", payload: ByteBuffer(), qos: .atLeastOnce, packetID: 3)),
                .publish(Publish(topic: "$SYS/x", payload: ByteBuffer(), qos: .exactlyOnce, packetID: 4)),
                .pubrel(Acknowledgement(packetID: 5)), .pubrec(Acknowledgement(packetID: 6)))
            #expect(
                try await client.drain() == [
                    .suback(SubAck(packetID: 1, reasonCodes: [.unspecifiedError])),
                    .puback(Acknowledgement(packetID: 3, reasonCode: .notAuthorized)),
                    .pubrec(Acknowledgement(packetID: 4, reasonCode: .notAuthorized)),
                    .pubcomp(Acknowledgement(packetID: 5, reasonCode: .packetIdentifierNotFound)),
                    .pubrel(Acknowledgement(packetID: 6, reasonCode: .packetIdentifierNotFound)),
                    .unsuback(UnsubAck(packetID: 2, reasonCodes: [.noSubscriptionExisted])),
                ])
        }
    }
}
