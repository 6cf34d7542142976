import MQTTCore
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import MQTTXClient

@Suite("Back-pressure", .timeLimit(.minutes(2)))
struct BackPressureTests {
    private static let mebibyte = 1024 * 1024

    private func large(_ number: Int, qos: QoS = .atMostOnce, id: UInt16 = 0) -> Packet {
        .publish(
            Publish(
                topic: "a", payload: ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 32 * 1024),
                qos: qos,
                packetID: id))
    }

    /// Sends messages until the socket takes no more, in a task of its own.
    private func flood(_ connection: ScriptedConnection, _ count: Int, _ sent: Count) -> Task<Void, any Error> {
        Task {
            for number in 0..<count {
                try await connection.send(large(number))
                sent.increment()
            }
        }
    }

    @Test("A handler slower than a QoS 0 sender stops the socket: memory stays bounded, and nothing is dropped")
    func slowHandler() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.messageQueueMaxBytes = 2 * Self.mebibyte
            }
            let gate = Gate()
            let log = Log<Int>()
            let (started, sent) = (Gate(), Count())
            async let subscribing = client.subscribe("a") { message in
                started.open()
                await gate.wait()
                log.add(Int(message.payload.getInteger(at: message.payload.readerIndex, as: UInt8.self) ?? 0))
            }
            try await connection.grant()
            _ = try await subscribing
            // 96 MiB: far more than queue and socket buffers hold.
            let count = 3_072
            let flooding = flood(connection, count, sent)
            await started.wait()
            try await settled { (await client.statistics.queuedInbound, sent.value) }
            let statistics = await client.statistics
            #expect(sent.value < count)
            // One turn of reading more than the limit may be in, and every byte that is held is counted.
            #expect(statistics.queuedInboundBytes < 8 * Self.mebibyte)
            #expect(statistics.queuedInboundBytes >= (statistics.queuedInbound - 2) * 32 * 1024)
            gate.open()
            #expect(await log.next(count) == (0..<count).map { $0 % 256 })
            try await flooding.value
            #expect(await client.statistics.messagesDropped == 0)
            await client.disconnect()
        }
    }

    @Test(
        "While an operation waits, reading goes on into a reserve; when that is full QoS 0 is dropped and counted, and the answer comes",
        arguments: [1, 5_000])
    func reserve(atOnce: Int) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.messageQueueMaxBytes = Self.mebibyte
                $0.messageQueueMaxSize = 10
            }
            let gate = Gate()
            let started = Gate()
            async let subscribing = client.subscribe("a") { _ in
                started.open()
                await gate.wait()
            }
            try await connection.grant()
            _ = try await subscribing
            let receipt = try await client.enqueue("own", "x", qos: .atLeastOnce)
            let own = try await connection.nextPublish()
            // Small ones: the limit of number is what they meet.
            let message = Packet.publish(Publish(topic: "a", payload: ByteBuffer(string: "x")))
            let count = max(500, atOnce)
            for sent in stride(from: atOnce, through: count, by: atOnce) {
                try await connection.send(Array(repeating: message, count: atOnce))
                // The queue is looked at after each read: what was sent together in one is not what is tested here.
                while await client.statistics.messagesReceived < sent { await Task.yield() }
            }
            await started.wait()
            try await connection.send(.puback(Acknowledgement(packetID: own.packetID)))
            #expect(try await receipt.outcome.get() == .success)
            let statistics = await client.statistics
            #expect(statistics.messagesDropped > 0)
            #expect(statistics.messagesDropped + statistics.queuedInbound <= count)
            #expect(statistics.queuedInbound < count)
            gate.open()
            await client.disconnect()
        }
    }

    @Test("A broker that obeys our Receive Maximum has no more than that with us, however slow the handler")
    func receiveMaximum() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.receiveMaximum = 5 }
            let gate = Gate()
            let log = Log<Void>()
            async let subscribing = client.subscribe("a") { _ in
                await gate.wait()
                log.add(())
            }
            try await connection.grant()
            _ = try await subscribing
            for id in UInt16(1)...5 { try await connection.send(large(0, qos: .atLeastOnce, id: id)) }
            try await settled { (await client.statistics.queuedInbound, 1) }
            #expect(await client.statistics.queuedInbound == 5)
            gate.open()
            for id in UInt16(1)...20 {
                #expect(try await connection.next() == .puback(Acknowledgement(packetID: id)))
                try await connection.send(large(0, qos: .atLeastOnce, id: id + 5))
            }
            _ = await log.next(25)
            await client.disconnect()
        }
    }

    @Test("While reading has stopped, pings go out and nobody waits for their answers")
    func pingsGoOn() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.keepAlive = .seconds(1)
                $0.messageQueueMaxSize = 10
            }
            let gate = Gate()
            let log = Log<Void>()
            async let subscribing = client.subscribe("a") { _ in
                await gate.wait()
                log.add(())
            }
            try await connection.grant()
            _ = try await subscribing
            // Answers of the broker are behind these, where nobody reads them.
            let flooding = flood(connection, 200, Count())
            for _ in 0..<3 { try await connection.nextPing() }
            #expect(client.isConnected)
            gate.open()
            _ = await log.next(200)
            try await flooding.value
            #expect(await client.statistics.connections == 1)
            await client.disconnect()
        }
    }

    @Test("Any byte of the broker counts as life: a ping that is not answered is forgiven while messages come")
    func anyByteIsLife() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.keepAlive = .seconds(1) }
            let log = Log<Void>()
            async let subscribing = client.subscribe("a") { _ in log.add(()) }
            try await connection.grant()
            _ = try await subscribing
            let talking = Task {
                while !Task.isCancelled {
                    try await connection.send(.publish(Publish(topic: "a", payload: ByteBuffer(string: "x"))))
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            connection.answersPings(false)
            // Nothing of ours goes out, so pings do; none is answered.
            for _ in 0..<3 { try await connection.nextPing() }
            #expect(await client.statistics.connections == 1)
            talking.cancel()
            _ = await talking.result
            await client.disconnect()
        }
    }

    @Test("A broker that reads nothing makes publish wait, not memory grow", arguments: [QoS.atMostOnce, .atLeastOnce])
    func slowBroker(qos: QoS) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.maxQueuedBytes = Self.mebibyte
            }
            try await connection.stopReading()
            let published = Count()
            let payload = ByteBuffer(repeating: 7, count: 32 * 1024)
            let count = 2_000
            let publishing = Task {
                for _ in 0..<count {
                    try await client.enqueue("a", payload, qos: qos)
                    published.increment()
                }
            }
            try await settled { (await client.statistics.queuedOutbound, published.value) }
            #expect(published.value < count)
            let statistics = await client.statistics
            #expect(statistics.queuedOutbound <= 40)
            try await connection.startReading()
            for _ in 0..<count {
                let publish = try await connection.nextPublish()
                if qos == .atLeastOnce {
                    try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
                }
            }
            try await publishing.value
            await client.disconnect()
        }
    }

    /// Waits until what the body tells has stayed the same for a while and is not zero.
    private func settled(_ body: () async -> (Int, Int)) async throws {
        var last = (0, 0)
        var unchanged = 0
        while unchanged < 5 {
            try await Task.sleep(for: .milliseconds(100))
            let now = await body()
            unchanged = now == last && now != (0, 0) ? unchanged + 1 : 0
            last = now
        }
    }
}

private final class Count: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func increment() { count.add(1, ordering: .relaxed) }
}
