import MQTTX
import MQTTXBroker
import MQTTXClient
import TestSupport
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
        // However busy the machine is: what is sent at QoS 0 to one that takes nothing may be dropped.
        var config = BrokerConfig()
        config.stallTimeout = .seconds(60)
        try await TestBroker.run(config) { broker in
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

    @Test(
        "Handlers of messages run on the event loop where that is wanted, and every message is handled and acknowledged"
    )
    func handlers() async throws {
        try await TestBroker.run { broker in
            let (topic, elsewhere, held) = (TestBroker.topic(), Counter(), Gate())
            let client = try await broker.connect { $0.handlersRunOnEventLoop = true }
            let (numbers, handled) = AsyncStream.makeStream(of: String?.self)
            for qos in QoS.allCases {
                try await client.subscribe("\(topic)/\(qos)", qos: qos) { (message: MQTTMessage) async in
                    if !client.eventLoop.inEventLoop { elsewhere.increment() }
                    await Task.yield()
                    handled.yield(message.string)
                }
            }
            // One that waits holds up none of another topic, and one that blocks has a thread of its own.
            try await client.subscribe("\(topic)/held") { (_: MQTTMessage) async in await held.wait() }
            try await client.subscribe("\(topic)/blocking", blocking: true) { (_: MQTTMessage) in
                handled.yield(client.eventLoop.inEventLoop ? "event loop" : nil)
            }
            let publisher = try await broker.connect()
            try await publisher.publish("\(topic)/held", "", qos: .atLeastOnce)
            for number in 0..<300 {
                try await publisher.publish(
                    "\(topic)/\(QoS.allCases[number % 3])", "\(number)", qos: QoS.allCases[number % 3])
            }
            try await publisher.publish("\(topic)/blocking", "", qos: .atLeastOnce)
            var received: [String] = []
            var arrivals = numbers.makeAsyncIterator()
            while received.count < 301, let number = await arrivals.next() { received.append(number ?? "a thread") }
            #expect(Set(received) == Set((0..<300).map { "\($0)" } + ["a thread"]))
            #expect(elsewhere.count == 0)
            held.open()
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
