import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTXClient

@Suite("Tasks on the event loop go on at the end of the read that they waited for", .timeLimit(.minutes(1)))
struct TurnTests {
    enum End: CaseIterable {
        case garbage, disconnect, close, halfPacket

        /// The last that the broker sends: the acknowledgement that a task waits for, and what follows it at once.
        func bytes(after publish: Publish) throws -> ByteBuffer {
            var bytes = ByteBuffer()
            let acknowledgement = Acknowledgement(packetID: publish.packetID)
            try PacketEncoder(version: .v5).encode(.puback(acknowledgement), into: &bytes)
            switch self {
            case .garbage: bytes.writeBytes([0xF8, 0xFF, 0xFF, 0xFF, 0xFF])
            case .disconnect: bytes.writeBytes([0xE0, 0])
            case .close: break
            case .halfPacket: bytes.writeBytes([0x30, 100, 0])
            }
            return bytes
        }
    }

    @Test("Also where that read ends the connection, and afterwards as before", arguments: End.allCases)
    func lastRead(end: End) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            // Awaited below.
            let first = Task(executorPreference: client.taskExecutor) {
                try await client.publish("t", "1", qos: .atLeastOnce)
            }
            let publish = try await connection.nextPublish()
            let bytes = try end.bytes(after: publish)
            try await connection.send(bytes)
            if end == .close || end == .halfPacket { await connection.close() }
            #expect(try await first.value == .success)
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            // A task that begins there runs, what it sends is written, and the answer reaches it. Awaited below.
            let later = Task(executorPreference: client.taskExecutor) {
                try await client.publish("t", "2", qos: .atLeastOnce)
            }
            let again = try await second.nextPublish()
            #expect(again.payload == ByteBuffer(string: "2"))
            try await second.send(.puback(Acknowledgement(packetID: again.packetID)))
            #expect(try await later.value == .success)
            await client.disconnect()
        }
    }

    @Test(
        "Not before the connection counts as gone: what they send then waits for the next",
        arguments: [End.garbage, .disconnect])
    func afterwards(end: End) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            // Awaited below.
            let task = Task(executorPreference: client.taskExecutor) {
                try await client.publish("t", "1", qos: .atLeastOnce)
                try await client.publish("t", "2")
            }
            let publish = try await connection.nextPublish()
            let bytes = try end.bytes(after: publish)
            try await connection.send(bytes)
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            #expect(try await second.nextPublish().payload == ByteBuffer(string: "2"))
            try await task.value
            await client.disconnect()
        }
    }

    @Test("What they answer to many packets of one read comes whole and in order, whoever else publishes meanwhile")
    func inOrder() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.handlersRunOnEventLoop = true }
            async let granted = connection.grant()
            try await client.subscribe("in") { (message: MQTTMessage) async throws in
                try await client.enqueue("out", message.payload, qos: .atLeastOnce)
            }
            _ = try await granted
            let count = 300
            // Cancelled and awaited below.
            let others = Task {
                while !Task.isCancelled { try await client.publish("other", "x") }
            }
            try await connection.send(
                (0..<count).map { .publish(Publish(topic: "in", payload: ByteBuffer(string: "\($0)"))) })
            var received: [String] = []
            while received.count < count {
                guard case .publish(let publish) = try await connection.next() else { continue }
                // The others publish at QoS 0.
                guard publish.qos == .atLeastOnce else { continue }
                received.append(String(buffer: publish.payload))
                try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
            }
            #expect(received == (0..<count).map { "\($0)" })
            others.cancel()
            await client.disconnect()
            _ = try? await others.value
        }
    }
}
