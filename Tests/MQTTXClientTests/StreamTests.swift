import MQTTCore
import NIOCore
import TestSupport
import Testing

@testable import MQTTXClient

@Suite("Streams", .timeLimit(.minutes(1)))
struct StreamTests {
    /// A stream that has been granted, and has handed over one message.
    private func reading(
        _ client: MQTTClient, _ connection: ScriptedConnection
    ) async throws -> Task<Int, any Error> {
        let first = Gate()
        let task = Task {
            var count = 0
            for try await _ in client.messages("a") {
                count += 1
                first.open()
            }
            return count
        }
        try await connection.grant()
        try await connection.send(.publish(Publish(topic: "a", payload: ByteBuffer(string: "x"))))
        await first.wait()
        return task
    }

    @Test("A stream whose subscription is refused when it is restored ends with the refusal")
    func refusedAtRestore() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let task = try await reading(client, first)
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept()
            let subscribe = try await second.nextSubscribe()
            try await second.send(.suback(SubAck(packetID: subscribe.packetID, reasonCodes: [.quotaExceeded])))
            let error = await #expect(throws: MQTTXError.self) { try await task.value }
            #expect(error?.reasonCode == .quotaExceeded)
            await client.disconnect()
        }
    }

    @Test("A stream ends when its filter is unsubscribed")
    func unsubscribed() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let task = try await reading(client, connection)
            async let unsubscribing = client.unsubscribe("a")
            let unsubscribe = try await connection.nextUnsubscribe()
            try await connection.send(.unsuback(UnsubAck(packetID: unsubscribe.packetID, reasonCodes: [.success])))
            #expect(try await unsubscribing?.reasonCode == .success)
            #expect(try await task.value == 1)
            await client.disconnect()
        }
    }

    @Test("A stream goes on over a reconnect, and ends with the error that ends the client")
    func clientEnds() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let task = try await reading(client, first)
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            try await second.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
            let error = await #expect(throws: MQTTXError.self) { try await task.value }
            #expect(error?.code == .sessionTakenOver)
        }
    }

    @Test("A task that is cancelled leaves its stream with CancellationError")
    func cancelled() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let task = try await reading(client, connection)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            _ = try await connection.nextUnsubscribe()
            await client.disconnect()
        }
    }

    @Test("A slow reader withholds acknowledgements as a slow handler does")
    func slowReader() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let gate = Gate()
            let task = Task {
                for try await message in client.messages("a") where message.packetID == 1 { await gate.wait() }
            }
            try await connection.grant()
            for id in UInt16(1)...3 {
                try await connection.send(
                    .publish(Publish(topic: "a", payload: ByteBuffer(string: "x"), qos: .atLeastOnce, packetID: id)))
            }
            // Taken is as good as handled: the second waits for its reader.
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            while await client.statistics.queuedInbound != 2 { await Task.yield() }
            gate.open()
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 2)))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 3)))
            task.cancel()
            _ = await task.result
            await client.disconnect()
        }
    }

    @Test("The reader of a stream can disconnect the client while more messages wait, and reads those first")
    func readerDisconnects() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<UInt16?>()
            let task = Task {
                for try await message in client.messages("a") {
                    log.add(message.packetID)
                    guard message.packetID == 1 else { continue }
                    while await client.statistics.queuedInbound != 2 { await Task.yield() }
                    await client.disconnect()
                }
            }
            try await connection.grant()
            for id in UInt16(1)...3 {
                try await connection.send(
                    .publish(Publish(topic: "a", payload: ByteBuffer(string: "x"), qos: .atLeastOnce, packetID: id)))
            }
            let error = await #expect(throws: MQTTXError.self) { try await task.value }
            #expect(error?.code == .notConnected)
            // The one that its handler had; the other was not handled any more.
            #expect(await log.next(2) == [1, 2])
        }
    }
}
