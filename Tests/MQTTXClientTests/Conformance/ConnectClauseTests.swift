import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTXClient

@Suite("Getting connected, by clause (sections 3.1, 3.2, 4.12)", .timeLimit(.minutes(1)))
struct ConnectClauseTests {
    @Test(
        """
        CONNECT comes first, with the same client identifier each time [MQTT-3.1.0-1, MQTT-3.1.3-2, \
        MQTT311-3.1.0-1, MQTT311-3.1.3-2]
        """, arguments: ProtocolVersion.allCases)
    func firstPacket(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.version = version })
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            guard case .connect(let connect) = try await first.nextOfAll() else {
                throw ScriptedConnection.Unexpected()
            }
            #expect(connect.clientID == "scripted" && connect.version == version && !connect.cleanStart)
            first.use(version)
            try await first.send(.connack(ConnAck()))
            try await connecting
            await first.close()
            let second = try #require(await connections.next())
            guard case .connect(let again) = try await second.nextOfAll() else { throw ScriptedConnection.Unexpected() }
            #expect(again.clientID == "scripted")
            await client.disconnect()
        }
    }

    @Test(
        "Without other traffic a ping goes out in each keep alive [MQTT-3.1.2-20, MQTT311-3.1.2-23]",
        arguments: ProtocolVersion.allCases)
    func pings(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.version = version
                $0.keepAlive = .seconds(1)
            }
            for _ in 0..<2 {
                #expect(try await connection.nextOfAll() == .pingreq)
                try await connection.send(.pingresp)
            }
            await client.disconnect()
        }
    }

    @Test(
        """
        Whoever asks for a clean start forgets its session, whatever was in flight [MQTT-3.1.2-4, \
        MQTT311-3.1.2-6]
        """,
        arguments: ProtocolVersion.allCases)
    func cleanStart(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections) {
                $0.version = version
                $0.cleanSession = true
            }
            try await client.enqueue("a", "1", qos: .atLeastOnce)
            _ = try await first.nextPublish()
            await first.close()
            let second = try #require(await connections.next())
            #expect(try await second.accept().cleanStart)
            let publish = try await second.nextPublish()
            #expect(!publish.dup, "a new message")
            await client.disconnect()
        }
    }

    @Test("A session that the client did not ask for closes the connection [MQTT-3.2.2-4]")
    func sessionFromNowhere() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.cleanSession = true })
            let connecting = Task { try await client.connect() }
            let connection = try #require(await connections.next())
            try await connection.accept(sessionPresent: true)
            await expectError(.protocolViolation) { try await connecting.value }
            await #expect(throws: ScriptedConnection.Ended.self) { _ = try await connection.next() }
        }
    }

    @Test(
        """
        A session that the client asked for is its own, though a restart has left its part of it empty \
        [MQTT-3.2.2-4]
        """
    )
    func sessionFromBefore() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            let connect = try await connection.accept(sessionPresent: true)
            #expect(!connect.cleanStart)
            try await connecting
            // What the program before it left unfinished comes to its end.
            try await connection.send(.pubrel(Acknowledgement(packetID: 7)), .pubrec(Acknowledgement(packetID: 8)))
            let answers = [try await connection.next(), try await connection.next()]
            #expect(answers.contains(.pubcomp(Acknowledgement(packetID: 7, reasonCode: .packetIdentifierNotFound))))
            #expect(answers.contains(.pubrel(Acknowledgement(packetID: 8, reasonCode: .packetIdentifierNotFound))))
            await client.disconnect()
        }
    }

    @Test("With a server that knows nothing but the specification the client has all it needs [MQTT311-7.0.0-2]")
    func barestServer() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.version = .v3_1_1
                    $0.cleanSession = true
                    $0.keepAlive = .seconds(60)
                })
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            #expect(
                try await connection.accept()
                    == Connect(version: .v3_1_1, cleanStart: true, keepAlive: 60, clientID: "scripted"))
            try await connecting
            let log = Log<String>()
            async let subscribing = client.subscribe("t", qos: .atMostOnce) { log.add($0.string ?? "") }
            let filters = [SubscriptionRequest("t", options: .init(qos: .atMostOnce))]
            let subscribe = try await connection.grant()
            #expect(subscribe == Subscribe(packetID: subscribe.packetID, filters: filters))
            _ = try await subscribing
            async let publishing = client.publish("t", "x", qos: .atLeastOnce)
            let publish = try await connection.nextPublish()
            #expect(
                publish
                    == Publish(
                        topic: "t", payload: ByteBuffer(string: "x"), qos: .atLeastOnce, packetID: publish.packetID))
            try await connection.send(
                .puback(Acknowledgement(packetID: publish.packetID)),
                .publish(Publish(topic: "t", payload: ByteBuffer(string: "x"))))
            _ = try await publishing
            #expect(await log.next(1) == ["x"])
            async let disconnecting: Void = client.disconnect()
            #expect(try await connection.next() == .disconnect(Disconnect()))
            await disconnecting
        }
    }

    @Test("A refusal closes the connection [MQTT-4.13.2-1]", arguments: ProtocolVersion.allCases)
    func refusalCloses(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.version = version })
            let connecting = Task { try await client.connect() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(.connack(ConnAck(reasonCode: .notAuthorized)))
            await expectError(.authenticationFailed) { try await connecting.value }
            await #expect(throws: ScriptedConnection.Ended.self) { _ = try await connection.next() }
        }
    }

    @Test("Without an identifier of one's own, 3.1.1 starts a clean session under a generated one [MQTT311-3.1.3-7]")
    func generatedIdentifier() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.version = .v3_1_1
                    $0.clientID = ""
                })
            async let connecting: Void = client.connect()
            let connect = try await #require(await connections.next()).accept()
            try await connecting
            #expect(connect.cleanStart && !connect.clientID.isEmpty && connect.clientID == client.clientID)
            await client.disconnect()
        }
    }

    @Test("A password without a user name is refused before 3.1.1 is dialled [MQTT311-3.1.2-22]")
    func passwordAlone() async throws {
        try await ScriptedBroker.run { broker, _ in
            let client = MQTTClient(
                broker.config {
                    $0.version = .v3_1_1
                    $0.auth = AuthConfig(username: nil, password: "secret")
                })
            await expectError(.encodingFailed) { try await client.connect() }
        }
    }

    @Test(
        """
        During an authentication nothing but AUTH goes out, with the method of the CONNECT [MQTT-3.1.2-30, \
        MQTT-4.12.0-3]
        """
    )
    func authenticates() async throws {
        try await ScriptedBroker.run { broker, connections in
            let method = Method()
            let client = MQTTClient(broker.config { $0.authenticationMethod = method })
            let publishing = Task {
                for await state in client.states { if case .connecting = state { break } }
                try await client.enqueue("a", "queued", qos: .atLeastOnce)
                try await client.subscribe("b") { _ in }
            }
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            let connect = try await connection.nextConnect()
            #expect(connect.properties.authenticationMethod == "METHOD")
            #expect(connect.properties.authenticationData == ByteBuffer(string: "first"))
            try await publishing.value
            for round in ["1", "2"] {
                try await connection.send(Self.auth(.continueAuthentication, round))
                #expect(try await connection.nextOfAll() == Self.auth(.continueAuthentication, "answer to \(round)"))
            }
            try await connection.send(
                .connack(
                    ConnAck(
                        properties: .with {
                            $0.authenticationMethod = "METHOD"
                            $0.authenticationData = ByteBuffer(string: "good")
                        })))
            guard case .subscribe = try await connection.next() else { throw ScriptedConnection.Unexpected() }
            #expect(String(buffer: try await connection.nextPublish().payload) == "queued")
            try await connecting
            await client.disconnect()
        }
    }

    @Test(
        "Authenticating anew begins with AUTH 0x19; where it fails the connection ends [MQTT-4.12.1-1, -2]",
        arguments: [true, false])
    func reauthenticates(succeeds: Bool) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.authenticationMethod = "METHOD" }
            ) { $0.authenticationMethod = Method() }
            let again = Task { try await client.reauthenticate() }
            #expect(try await connection.next() == Self.auth(.reAuthenticate, "first"))
            try await connection.send(Self.auth(.continueAuthentication, "1"))
            #expect(try await connection.next() == Self.auth(.continueAuthentication, "answer to 1"))
            try await connection.send(Self.auth(.success, succeeds ? "good" : "bad"))
            if succeeds {
                try await again.value
                try await client.publish("still", "here")
                #expect(try await connection.nextPublish().topic == "still")
            } else {
                await expectError(.authenticationFailed) { try await again.value }
                await #expect(throws: ScriptedConnection.Ended.self) {
                    while true { _ = try await connection.next() }
                }
            }
            await client.disconnect()
        }
    }

    @Test(
        """
        An AUTH that its reason and user properties make too large for the server goes without them \
        [MQTT-3.15.2-2, -3]
        """
    )
    func authTooLarge() async throws {
        try await ScriptedBroker.run { broker, connections in
            let limits = Properties.with {
                $0.authenticationMethod = "METHOD"
                $0.maximumPacketSize = 30
            }
            let (client, connection) = try await broker.connect(connections, properties: limits) {
                $0.authenticationMethod = Method(reason: "far too many words")
            }
            let again = Task { try await client.reauthenticate() }
            #expect(try await connection.next() == Self.auth(.reAuthenticate, "first"))
            try await connection.send(Self.auth(.success, "good"))
            try await again.value
            await client.disconnect()
        }
    }

    private static func auth(_ code: ReasonCode, _ data: String) -> Packet {
        .auth(
            Auth(
                reasonCode: code,
                properties: .with {
                    $0.authenticationMethod = "METHOD"
                    $0.authenticationData = ByteBuffer(string: data)
                }))
    }

    /// Answers every challenge, and is content with final data that say so.
    private struct Method: AuthenticationMethod {
        let name = "METHOD"
        var reason: String?

        func start() async throws -> any AuthenticationExchange { Exchange(reason: reason) }

        final class Exchange: AuthenticationExchange {
            struct NotGood: Error {}

            let reason: String?

            init(reason: String?) { self.reason = reason }

            func begin() async throws -> AuthenticationData {
                AuthenticationData(
                    ByteBuffer(string: "first"), reasonString: reason,
                    userProperties: reason.map { [UserProperty("reason", $0)] } ?? [])
            }

            func respond(to challenge: AuthenticationData) async throws -> AuthenticationData {
                AuthenticationData(ByteBuffer(string: "answer to \(String(buffer: challenge.data ?? ByteBuffer()))"))
            }

            func finish(with last: AuthenticationData) async throws {
                if last.data == ByteBuffer(string: "bad") { throw NotGood() }
            }
        }
    }
}
