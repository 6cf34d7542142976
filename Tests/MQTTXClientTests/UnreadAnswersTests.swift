import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTXClient

@Suite("A broker that sends and does not read", .timeLimit(.minutes(2)))
struct UnreadAnswersTests {
    private static let limit = 64 * 1024

    /// 4,096 PUBRELs of nothing, each of which is answered.
    private static let releases = ByteBuffer(
        bytes: (1...4_096).flatMap { [0x62, 2, UInt8($0 >> 8), UInt8($0 & 0xFF)] })

    @Test("Is read no more beyond a limit of answers, and again once it has taken them")
    func slow() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.maxUnreadAnswers = Self.limit }
            try await connection.keepLittle()
            try await connection.stopReading()
            let sending = Task {
                while !Task.isCancelled { try await connection.send(Self.releases) }
            }
            while !client.core.outbox.isBlocked { try await Task.sleep(for: .milliseconds(1)) }
            sending.cancel()
            try await connection.startReading()
            try await sending.value
            let receipt = try await client.enqueue("t", "x", qos: .atLeastOnce)
            while true {
                guard case .publish(let publish) = try await connection.next() else { continue }
                try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
                break
            }
            guard case .delivered = try await receipt.outcome else { throw ScriptedConnection.Unexpected() }
            await client.disconnect()
        }
    }

    @Test("Is given up after the keep alive: memory stays bounded, and what was published goes to its next connection")
    func deaf() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.keepAlive = .seconds(1)
                $0.maxUnreadAnswers = Self.limit
            }
            let receipt = try await client.enqueue("t", "x", qos: .atLeastOnce)
            _ = try await connection.nextPublish()
            try await connection.keepLittle()
            try await connection.stopReading()
            let sending = Task { while (try? await connection.send(Self.releases)) != nil {} }
            let watching = Task {
                var largest = 0
                while (try? await Task.sleep(for: .milliseconds(1))) != nil {
                    largest = max(largest, client.core.outbox.unreadAnswers)
                }
                return largest
            }
            let second = try #require(await connections.next())
            watching.cancel()
            try await second.accept(sessionPresent: true)
            let again = try await second.nextPublish()
            #expect(again.dup)
            try await second.send(.puback(Acknowledgement(packetID: again.packetID)))
            guard case .delivered = try await receipt.outcome else { throw ScriptedConnection.Unexpected() }
            await connection.close()
            await sending.value
            let largest = await watching.value
            // A quarter of a mebibyte each may be in: a write that the socket took in part, what makes it take no more, and one
            // turn of reading.
            #expect(largest > Self.limit && largest <= 12 * Self.limit, "\(largest)")
            await client.disconnect()
        }
    }
}
