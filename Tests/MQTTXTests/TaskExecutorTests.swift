import MQTTX
import MQTTXClient
import Testing

@Suite(.timeLimit(.minutes(1))) struct TaskExecutorTests {
    /// The cheapest call there is, on the event loops of both peers.
    private func service(_ client: MQTTClient, _ topic: String, _ elsewhere: Counter) async throws {
        _ = try await ConventionalRPCManager(
            client, myTopic: topic, config: RPCConfig(taskExecutor: client.taskExecutor)
        ) { rpc in
            rpc.register("echo") { (params: JSONValue) async -> JSONValue in
                if !client.eventLoop.inEventLoop { elsewhere.increment() }
                return params
            }
        }
    }

    @Test("Tasks that call and handlers that answer run on the event loop, and every call gets its own answer")
    func calls() async throws {
        try await TestBroker.run { broker in
            let (topic, elsewhere) = (TestBroker.topic(), Counter())
            try await service(try await broker.connect(), topic, elsewhere)
            let client = try await broker.connect()
            let rpc = RPCManager(client)
            try await withTaskExecutorPreference(client.taskExecutor) {
                try await withThrowingDiscardingTaskGroup { group in
                    for task in 0..<50 {
                        group.addTask {
                            for number in 0..<10 {
                                let params = JSONValue.array([.int(Int64(task)), .int(Int64(number))])
                                let result = try await rpc.call(topic, "echo", params: params)
                                #expect(result == params)
                                if !client.eventLoop.inEventLoop { elsewhere.increment() }
                            }
                        }
                    }
                }
            }
            #expect(elsewhere.count == 0)
        }
    }

    @Test("Without it handlers don't run on the event loop")
    func pool() async throws {
        try await TestBroker.run { broker in
            let (topic, client) = (TestBroker.topic(), try await broker.connect())
            _ = try await ConventionalRPCManager(client, myTopic: topic) { rpc in
                rpc.register("where") { () -> JSONValue in .bool(client.eventLoop.inEventLoop) }
            }
            let rpc = RPCManager(try await broker.connect())
            #expect(try await rpc.call(topic, "where") == false)
        }
    }

    @Test("Tasks that never cease to run leave the event loop time for the connection")
    func busy() async throws {
        try await TestBroker.run { broker in
            let client = try await broker.connect()
            let done = Counter()
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<3 {
                    group.addTask(executorPreference: client.taskExecutor) {
                        while done.count == 0 { await Task.yield() }
                    }
                }
                defer { done.increment() }
                for _ in 0..<10 { try await client.publish(TestBroker.topic(), "", qos: .exactlyOnce) }
            }
        }
    }

    @Test("More than the socket takes, from tasks on the event loop: nothing is lost")
    func backPressure() async throws {
        try await TestBroker.run { broker in
            let (topic, received) = (TestBroker.topic(), Counter())
            let (all, count) = (Gate(), 2_000)
            try await broker.connect().subscribe(topic) { (message: MQTTMessage) in
                if received.increment() == count { all.open() }
            }
            let client = try await broker.connect { $0.maxQueuedMessages = 100 }
            let payload = String(repeating: "x", count: 8_192)
            try await withTaskExecutorPreference(client.taskExecutor) {
                try await withThrowingDiscardingTaskGroup { group in
                    for _ in 0..<4 {
                        group.addTask {
                            for _ in 0..<(count / 4) { try await client.publish(topic, payload) }
                        }
                    }
                }
            }
            await all.wait()
        }
    }

    @Test("Calls on the event loop end with the connection, and can be cancelled")
    func end() async throws {
        try await TestBroker.run { broker in
            let client = try await broker.connect { $0.cleanSession = true }
            let (topic, asked) = (TestBroker.topic(), Gate())
            try await broker.connect().subscribe(topic) { (_: MQTTMessage) in asked.open() }
            let rpc = RPCManager(client)
            // Cancelled and awaited below.
            let cancelled = Task(executorPreference: client.taskExecutor) { try await rpc.call(topic, "m") }
            await asked.wait()
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            // Ends with the connection; awaited below.
            let cut = Task(executorPreference: client.taskExecutor) {
                await error { try await rpc.call(topic, "m") }?.code
            }
            while rpc.pendingCallCount == 0 { await Task.yield() }
            await client.disconnect()
            let code = await cut.value
            #expect(code == .connectionLost || code == .notConnected)
        }
    }
}
