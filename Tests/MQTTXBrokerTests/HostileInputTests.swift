import MQTTCore
import MQTTXBroker
import NIOCore
import TestSupport
import Testing

@Suite("Hostile input")
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
