import MQTTCore
import NIOCore
import TestSupport
import Testing

@testable import MQTTXClient

@Suite("Cancelling a task ends its waiting for an acknowledgement, not the message", .timeLimit(.minutes(1)))
struct CancelledPublishTests {
    /// Far more than a tenth of a second, for a busy machine; without being told of it, a task would wait for ever.
    private static let promptly = Duration.seconds(10)

    private func expectCancelled<T: Sendable>(_ task: Task<T, any Error>) async {
        let start = ContinuousClock.now
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(start.duration(to: .now) < Self.promptly)
    }

    @Test("Soon after sending, and after the look that finds the message still in flight", arguments: [false, true])
    func waiting(onLoop: Bool) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            // Cancelled and awaited below.
            let tasks = (0..<2).map { _ in
                Task(executorPreference: onLoop ? client.taskExecutor : nil) {
                    try await client.publish("t", "1", qos: .atLeastOnce)
                }
            }
            let publishes = [try await connection.nextPublish(), try await connection.nextPublish()]
            // That the first has ended says that there was the look, which the second's message has had as well.
            for task in tasks { await expectCancelled(task) }
            #expect(await client.statistics.inFlight == 2)
            for publish in publishes { try await connection.send(.puback(Acknowledgement(packetID: publish.packetID))) }
            async let next = client.publish("t", "2", qos: .atLeastOnce)
            let last = try await connection.nextPublish()
            try await connection.send(.puback(Acknowledgement(packetID: last.packetID)))
            #expect(try await next == .success)
            #expect(await client.statistics.inFlight == 0)
            await client.disconnect()
        }
    }

    @Test("A task that is cancelled already sends, and does not wait")
    func cancelledBefore() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            // Cancels itself; awaited below.
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await client.publish("t", "1", qos: .atLeastOnce)
            }
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            #expect(try await connection.nextPublish().payload == ByteBuffer(string: "1"))
            await client.disconnect()
        }
    }

    @Test("A task that publishes again and again ends when it is cancelled, however quick the broker is")
    func loop() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            // Awaited below: this one ends with the connection, the other is cancelled.
            let answering = Task {
                while case .publish(let publish) = try await connection.next() {
                    try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
                }
            }
            let (published, publishing) = AsyncStream.makeStream(of: Void.self)
            let task = Task<Void, any Error> {
                while true {
                    try await client.publish("t", "1", qos: .atLeastOnce)
                    publishing.yield()
                }
            }
            for await _ in published { break }
            await expectCancelled(task)
            await client.disconnect()
            _ = await answering.result
        }
    }

    @Test("Of many that wait for one receipt only the one that is cancelled", arguments: 0..<3)
    func oneOfMany(cancelled: Int) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let receipt = try await client.enqueue("t", "1", qos: .atLeastOnce)
            // Awaited below, one of them cancelled before.
            let tasks = (0..<3).map { _ in Task { try await receipt.outcome.get() } }
            let publish = try await connection.nextPublish()
            await expectCancelled(tasks[cancelled])
            try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
            for (index, task) in tasks.enumerated() where index != cancelled {
                #expect(try await task.value == .success)
            }
            await client.disconnect()
        }
    }

    @Test("Also where the message waits for room, or again since the session was lost")
    func queued() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections, properties: .with { $0.receiveMaximum = 2 })
            // Awaited below, two of them cancelled before.
            let tasks = ["1", "2", "3"].map { text in
                Task { try await client.publish("t", text, qos: .atLeastOnce) }
            }
            let payloads = Set([try await first.nextPublish().payload, try await first.nextPublish().payload])
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: false, .with { $0.receiveMaximum = 1 })
            let only = try await second.nextPublish()
            #expect(payloads.contains(only.payload), "what was sent first goes first")
            let number = try #require(Int(String(buffer: only.payload)))
            for (index, task) in tasks.enumerated() where index + 1 != number { await expectCancelled(task) }
            try await second.send(.puback(Acknowledgement(packetID: only.packetID)))
            #expect(try await tasks[number - 1].value == .success)
            await client.disconnect()
        }
    }

    @Test(
        "When the event loop is shut down, all that is in flight takes long, and the next message begins another look")
    func stopped() throws {
        var state = OutboxState.online()
        let messages = (0..<3).map { _ in
            PublishReceipt(Publish(topic: "t", payload: ByteBuffer(), qos: .atLeastOnce), isWatched: true)
        }
        for message in messages {
            let isSent = try state.trySend(message)
            #expect(isSent)
        }
        var begun = [state.watch.begin(), state.watch.begin()]
        let stopped = state.stopLooking()
        begun.append(state.watch.begin())
        #expect(begun == [true, false, true] && stopped.count == 3)
        #expect(messages.allSatisfy { message in stopped.contains { $0 === message } })
    }

    @Test("Each message is looked at once, at the second look after it was sent")
    func watch() {
        var random = SeededGenerator.announced("looks at what is in flight")
        var watch = FlightWatch()
        var sent: UInt64 = 0
        var sentBeforeLastLook: UInt64 = 0
        var looked: [UInt64] = []
        for _ in 0..<200 {
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                sent += 1
                let wasOn = watch.isOn
                #expect(watch.begin() == !wasOn && watch.isOn)
            }
            guard watch.isOn else { continue }
            looked += watch.next(lastSent: sent)
            #expect(looked == Array(1..<sentBeforeLastLook + 1))
            sentBeforeLastLook = sent
        }
        for _ in 0..<2 where watch.isOn { looked += watch.next(lastSent: sent) }
        #expect(!watch.isOn && looked == Array(1..<sent + 1))
    }
}
