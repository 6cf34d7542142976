import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTXClient

@Suite("Reconnecting", .timeLimit(.minutes(1)))
struct ReconnectingTests {
    @Test("Each wait is drawn between zero and a limit that grows to its own limit")
    func delays() {
        let config = ReconnectConfig()
        #expect(config.enabled && config.maxAttempts == 0)
        #expect(
            (0...7).map { config.delay(attempt: $0, random: 1).inSeconds.rounded() } == [5, 8, 11, 17, 25, 38, 57, 60])
        #expect(config.delay(attempt: 3, random: 0) == .zero)
        #expect(abs(config.delay(attempt: 0, random: 0.5).inSeconds - 2.5) < 0.001)
        #expect(config.delay(attempt: .max, random: 1) == .seconds(60))
        let odd = ReconnectConfig(interval: .seconds(-1), backoffMultiplier: .infinity)
        #expect(odd.delay(attempt: 5, random: 1) >= .zero)
        #expect(ReconnectConfig(backoffMultiplier: .nan).delay(attempt: 5, random: 1) <= .seconds(60))
    }

    @Test("The count of attempts starts anew once a connection has held, and not before", arguments: [true, false])
    func backOffStartsAnew(holds: Bool) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.reconnect.stableAfter = holds ? .zero : .seconds(3_600)
                    $0.reconnect.maxInterval = .milliseconds(20)
                })
            async let connecting: Void = client.connect()
            for round in 0..<3 {
                let connection = try #require(await connections.next())
                try await connection.accept(sessionPresent: round > 0)
                if round == 0 { try await connecting }
                for await state in client.states where state.isConnected { break }
                await connection.close()
            }
            let last = try #require(await connections.next())
            _ = try await last.nextConnect()
            guard case .connecting(let attempt) = client.state else { throw ScriptedConnection.Unexpected() }
            #expect(attempt == (holds ? 2 : 4))
            await client.disconnect()
        }
    }

    @Test("So many attempts in a row may fail as configured, then the client ends with the cause")
    func maxAttempts() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.reconnect.maxAttempts = 2 })
            let running = Task { try await client.run() }
            for _ in 0..<3 {
                let connection = try #require(await connections.next())
                _ = try await connection.nextConnect()
                try await connection.send(.connack(ConnAck(reasonCode: .serverBusy)))
            }
            let error = await #expect(throws: MQTTXError.self) { try await running.value }
            #expect(error?.reasonCode == .serverBusy)
        }
    }

    @Test(
        "Refusals that will not change end the client",
        arguments: [
            ReasonCode.unsupportedProtocolVersion, .clientIdentifierNotValid, .banned, .badAuthenticationMethod,
            .malformedPacket, .protocolError,
        ])
    func stops(code: ReasonCode) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let running = Task { try await client.run() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(.connack(ConnAck(reasonCode: code)))
            let error = await #expect(throws: MQTTXError.self) { try await running.value }
            #expect(error?.reasonCode == code)
        }
    }

    @Test(
        "Refusals that may change are followed by another attempt, with credentials asked for anew",
        arguments: [
            ReasonCode.badUserNameOrPassword, .notAuthorized, .serverUnavailable, .serverBusy, .quotaExceeded,
            .connectionRateExceeded, .unspecifiedError, .implementationSpecificError,
        ])
    func retries(code: ReasonCode) async throws {
        try await ScriptedBroker.run { broker, connections in
            let asked = Atomic<Int>(0)
            let client = MQTTClient(
                broker.config {
                    $0.auth = AuthConfig {
                        .init(username: "\(asked.add(1, ordering: .relaxed).newValue)", password: nil)
                    }
                })
            let running = Task { try await client.run() }
            let first = try #require(await connections.next())
            #expect(try await first.nextConnect().username == "1")
            try await first.send(.connack(ConnAck(reasonCode: code)))
            let second = try #require(await connections.next())
            #expect(try await second.accept().username == "2")
            for await state in client.states where state.isConnected { break }
            running.cancel()
            _ = await running.result
        }
    }

    @Test("After the first connection the version is settled: a broker that then refuses it is not met with another")
    func versionIsSettled() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.version = nil })
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            #expect(try await first.accept().version == .v5)
            try await connecting
            await first.close()
            let second = try #require(await connections.next())
            #expect(try await second.nextConnect().version == .v5)
            await second.close()
            let third = try #require(await connections.next())
            #expect(try await third.nextConnect().version == .v5)
            await client.disconnect()
        }
    }

    @Test("A subscription that is refused when it is restored is told of, and is gone")
    func refusedAtRestore() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            async let subscribing = client.subscribe("a") { _ in }
            try await first.grant()
            _ = try await subscribing
            var notices = client.notices.makeAsyncIterator()
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept()
            let subscribe = try await second.nextSubscribe()
            try await second.send(.suback(SubAck(packetID: subscribe.packetID, reasonCodes: [.notAuthorized])))
            while let notice = await notices.next() {
                guard case .subscriptionRefused(let filter, let error) = notice else { continue }
                #expect(filter == "a" && error.code == .permissionDenied)
                break
            }
            #expect(try await client.unsubscribe("a") == nil)
            await client.disconnect()
        }
    }

    @Test("A subscription made while a connection is being set up is asked for on that connection")
    func subscribedMeanwhile() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let made = Log<Subscription>()
            // Observers are told after the list of subscriptions was made and before the client counts as connected.
            _ = client.observe { event in
                guard case .connected = event else { return }
                let sink = MessageSink(exclusive: { _ in })
                if let subscription = try? client.subscribeAtOnce("late", sink) { made.add(subscription) }
            }
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            try await connection.accept()
            let subscribe = try await connection.grant()
            #expect(subscribe.filters.map(\.filter) == ["late"])
            try await connecting
            #expect(try await made.next(1).first?.granted() == .atLeastOnce)
            await client.disconnect()
        }
    }

    @Test("A client that is not connected any more never says so: not from the socket's end until the next CONNACK")
    func isConnectedIsTrue() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let seen = Log<Bool>()
            // On the event loop, where the end of the connection is learnt.
            _ = client.observe { event in
                switch event {
                case .connected: break
                case .disconnected: seen.add(client.isConnected)
                }
            }
            await first.close()
            let second = try #require(await connections.next())
            _ = try await second.nextConnect()
            #expect(await seen.next(1) == [false])
            #expect(!client.isConnected && client.server == nil)
            try await second.send(.connack(ConnAck(sessionPresent: true)))
            for await state in client.states where state.isConnected { break }
            await client.disconnect()
        }
    }

    @Test("Thousands of subscriptions come back after a reconnect", arguments: [ProtocolVersion.v3_1_1, .v5])
    func manySubscriptions(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.version = version })
            let count = 5_000
            for number in 0..<count {
                try await client.subscribe(number % 2 == 0 ? "t/\(number)" : "t/\(number)/#") { _ in }
            }
            async let connecting: Void = client.connect()
            for round in 0..<2 {
                let connection = try #require(await connections.next())
                try await connection.accept()
                var filters: Set<String> = []
                while filters.count < count { filters.formUnion(try await connection.grant().filters.map(\.filter)) }
                if round == 0 {
                    try await connecting
                    await connection.close()
                }
            }
            await client.disconnect()
        }
    }

    @Test(
        "Bytes that no broker may send end the connection with the reason code that the specification names, and another is made",
        arguments: [
            ("reserved type", [0x00, 0x00], ReasonCode.malformedPacket),
            ("bad length", [0x30, 0xFF, 0xFF, 0xFF, 0xFF], .malformedPacket),
            ("QoS 3", [0x36, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01], .malformedPacket),
            ("a CONNECT", [0x10, 0x0D, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 2, 0, 0, 0, 0, 0], .protocolError),
            ("a second CONNACK", [0x20, 0x03, 0x00, 0x00, 0x00], .protocolError),
            ("a PINGREQ", [0xC0, 0x00], .protocolError),
            ("topic of bad UTF-8", [0x30, 0x04, 0x00, 0x01, 0xFF, 0x00], .malformedPacket),
            ("topic with wildcard", [0x30, 0x04, 0x00, 0x01, 0x23, 0x00], .topicNameInvalid),
            ("packet identifier 0", [0x32, 0x06, 0x00, 0x01, 0x61, 0x00, 0x00, 0x00], .protocolError),
        ] as [(String, [UInt8], ReasonCode)])
    func hostileBytes(what: String, bytes: [UInt8], code: ReasonCode) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            try await connection.send(ByteBuffer(bytes: bytes))
            let reason = try await connection.nextDisconnect().reasonCode
            // Some are malformed and break the protocol both.
            #expect(reason == code || [.malformedPacket, .protocolError].contains(reason))
            try await #require(await connections.next()).accept(sessionPresent: true)
            for await state in client.states where state.isConnected { break }
            await client.disconnect()
        }
    }
}
