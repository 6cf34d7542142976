import MQTTCore
import MQTTXBroker
import NIOCore
import TestSupport
import Testing

@Suite("Hostile input", .timeLimit(.minutes(2)))
struct HostileInputTests {
    @Test("Random bytes close that connection and nothing else")
    func randomBytes() async throws {
        try await withBroker { broker in
            var random = SeededGenerator.announced("randomBytes")
            for _ in 0..<200 {
                let count = Int.random(in: 1...300, using: &random)
                var bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
                // CONNECT promises a length that never comes now and then: end it ourselves then.
                bytes += [UInt8](repeating: 0xFF, count: 20)
                _ = try await RawBytes.exchangeOrCut(broker.port, bytes)
            }
            let client = try await RawClient.connect(broker)
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test("Damaged packets of a connected client end its connection and nothing else")
    func damagedPackets() async throws {
        try await withBroker { broker in
            var random = SeededGenerator.announced("damagedPackets")
            let encoder = PacketEncoder(version: .v5)
            for _ in 0..<200 {
                var buffer = ByteBuffer()
                try encoder.encode(.connect(Connect(version: .v5, clientID: "x")), into: &buffer)
                let start = buffer.writerIndex
                try encoder.encode(
                    .publish(
                        Publish(topic: "a/b", payload: ByteBuffer(string: "hello"), qos: .exactlyOnce, packetID: 1)),
                    into: &buffer)
                try encoder.encode(.subscribe(Subscribe(packetID: 2, filters: [.init("a/#")])), into: &buffer)
                for _ in 0..<3 {
                    let index = Int.random(in: start..<buffer.writerIndex, using: &random)
                    buffer.setInteger(UInt8.random(in: .min ... .max, using: &random), at: index)
                }
                _ = try await RawBytes.exchangeOrCut(broker.port, Array(buffer.readableBytesView))
            }
            let client = try await RawClient.connect(broker)
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test(
        "Packets of all kinds, in every state of a connection, end that connection at most",
        arguments: ProtocolVersion.allCases)
    func everyState(version: ProtocolVersion) async throws {
        try await withBroker({
            $0.authenticator = TakesItsTime()
            $0.maximumPacketSize = 2_000
            $0.enhancedAuthenticators = [Challenges()]
        }) { broker in
            var random = SeededGenerator.announced("everyState \(version)")
            var hostility = Hostility(version, random)
            let witness = try await RawClient.connect(broker)
            try await witness.subscribe("witness")
            for _ in 0..<200 {
                let client = try await RawClient.open(broker, version: version)
                var connect = Connect(version: version, cleanStart: Bool.random(using: &random), clientID: "hostile")
                switch Int.random(in: 0..<4, using: &random) {
                case 0: break
                case 1: try await client.handshake(connect)
                case 2:
                    connect.username = "waits"
                    try await client.send(.connect(connect))
                default:
                    if version == .v5 { connect.properties.authenticationMethod = "M" }
                    try await client.send(.connect(connect))
                }
                try? await client.send(bytes: hostility.bytes())
                // Types of zero: whatever went before, this ends the connection, in the midst of a packet as well.
                try? await client.send(bytes: ByteBuffer(repeating: 0, count: 4_000))
                if Bool.random(using: &random) { while (try? await client.next()) != nil {} }
                try? await client.cut()
            }
            try await witness.publish("witness", "x")
            #expect(try await witness.message().topic == "witness")
            while broker.statistics.connections > 1 { await Task.yield() }
        }
    }

    /// One more question before it is content.
    private struct Challenges: EnhancedAuthenticator {
        let method = "M"

        func begin(_ attempt: ConnectAttempt) -> any EnhancedAuthentication { Exchange() }

        struct Exchange: EnhancedAuthentication {
            var isAsked = false

            mutating func receive(_ data: [UInt8]?) async -> EnhancedAuthenticationStep {
                defer { isAsked = true }
                return isAsked ? .accepted(identity: nil) : .challenge([1])
            }
        }
    }

    private struct TakesItsTime: Authenticator {
        func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult {
            try? await Task.sleep(for: .milliseconds(2))
            return attempt.clientID.isEmpty ? .refused(.notAuthorized) : .accepted(identity: nil)
        }
    }

    @Test("A client that sends and takes no answer is read no more, and given up after its keep alive")
    func unreadAnswers() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, keepAlive: 1)
            try await client.keepLittle()
            try await client.setReading(false)
            let releases = ByteBuffer(bytes: (1...4_096).flatMap { [0x62, 2, UInt8($0 >> 8), UInt8($0 & 0xFF)] })
            while (try? await client.send(bytes: releases)) != nil {}
            while broker.statistics.connections > 0 { await Task.yield() }
        }
    }

    @Test("Topics and filters of 65,535 levels are no danger")
    func deepTopics() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            let deep = String(repeating: "/", count: 65_000)
            #expect(try await client.subscribe(deep) == .grantedQoS2)
            #expect(try await client.subscribe(deep + "#") == .grantedQoS2)
            try await client.publish(deep, "x", qos: .atLeastOnce, retain: true)
            #expect(try await client.drain().count >= 0)
            let other = try await RawClient.connect(broker)
            try await other.subscribe("#")
            #expect(try await other.message().topic == deep)
        }
    }
}
