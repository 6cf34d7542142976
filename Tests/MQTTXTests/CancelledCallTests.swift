import MQTTX
import TestSupport
import Testing

@Suite("Cancelling a task ends its call", .timeLimit(.minutes(1)))
struct CancelledCallTests {
    /// Far more than a tenth of a second, for a busy machine; without being told of it, a call would wait for its timeout.
    private static let promptly = Duration.seconds(10)

    @Test("While it is young, and when it has waited for long", arguments: [false, true])
    func waiting(onLoop: Bool) async throws {
        try await TestBroker.run { broker in
            let client = try await broker.connect()
            let rpc = RPCManager(client)
            let (topic, asked) = (TestBroker.topic(), Counter())
            try await broker.connect().subscribe(topic) { (_: MQTTMessage) in asked.increment() }
            // Cancelled and awaited below.
            let calls = (0..<2).map { _ in
                Task(executorPreference: onLoop ? client.taskExecutor : nil) {
                    try await rpc.call(topic, "m", timeout: .seconds(600))
                }
            }
            while asked.count < 2 { await Task.yield() }
            // That the first has ended says that there was the look which finds calls that wait for long.
            for call in calls {
                let start = ContinuousClock.now
                call.cancel()
                await #expect(throws: CancellationError.self) { try await call.value }
                #expect(start.duration(to: .now) < Self.promptly)
            }
            #expect(rpc.pendingCallCount == 0)
        }
    }

    @Test("A task that calls again and again ends when it is cancelled, however quick the peer is")
    func loop() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let service = try await ConventionalRPCManager(try await broker.connect(), myTopic: topic) {
                $0.register("m") { 1 }
            }
            let rpc = RPCManager(try await broker.connect())
            let calls = Counter()
            // Cancelled and awaited below.
            let task = Task<Void, any Error> {
                while true {
                    try await rpc.call(topic, "m")
                    calls.increment()
                }
            }
            while calls.count < 3 { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            await service.close()
        }
    }

    @Test("A call that has waited for long still gets its response")
    func late() async throws {
        try await TestBroker.run { broker in
            let (topic, gate) = (TestBroker.topic(), Gate())
            let service = try await ConventionalRPCManager(try await broker.connect(), myTopic: topic) {
                $0.register("slow") { () async -> Int in
                    await gate.wait()
                    return 2
                }
            }
            let rpc = RPCManager(try await broker.connect())
            // Cancelled and awaited below.
            let cancelled = Task { try await rpc.call(topic, "slow") }
            async let other = rpc.call(topic, "slow")
            while rpc.pendingCallCount < 2 { await Task.yield() }
            cancelled.cancel()
            // That this one has ended says that there was the look which finds both to wait for long.
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            gate.open()
            #expect(try await other == 2)
            await service.close()
        }
    }
}
