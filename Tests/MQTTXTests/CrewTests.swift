import Synchronization
import TestSupport
import Testing

@testable import MQTTX

/// Keeps the jobs of tasks until it is let go.
private final class HeldExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]?>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isHeld = jobs.withLock { jobs in
            jobs?.append(job)
            return jobs != nil
        }
        if !isHeld { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    func letGo() {
        let held = jobs.withLock { jobs in
            defer { jobs = nil }
            return jobs ?? []
        }
        for job in held { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}

@Suite("Requests are served by as many tasks as there are handlers that wait", .timeLimit(.minutes(1)))
struct CrewTests {
    @Test("Handlers that wait hold up none, and those that come after them find tasks", arguments: [false, true])
    func waiting(onLoop: Bool) async throws {
        try await TestBroker.run { broker in
            let (topic, gate, started) = (TestBroker.topic(), Gate(), Counter())
            let client = try await broker.connect()
            let config = RPCConfig(
                maxConcurrentCalls: 200, maxConcurrentRequests: 100, taskExecutor: onLoop ? client.taskExecutor : nil)
            let rpc = try await ConventionalRPCManager(client, myTopic: topic, config: config) {
                $0.register("slow") { (number: Int) async -> Int in
                    started.increment()
                    await gate.wait()
                    return number
                }
                $0.register("quick") { (number: Int) in number }
            }
            // More than once, and more than stay on when there is nothing to do.
            for round in 1...3 {
                async let slow = withThrowingTaskGroup(of: (Int, Int).self) { group in
                    for number in 0..<40 {
                        group.addTask { (number, try await rpc.call(topic, "slow", params: number)) }
                    }
                    return try await group.reduce(into: 0) { $0 += $1.0 == $1.1 ? 1 : 0 }
                }
                if round == 1 {
                    while started.count < 40 { await Task.yield() }
                    for number in 0..<200 {
                        #expect(try await rpc.call(topic, "quick", params: number) as Int == number)
                    }
                    gate.open()
                }
                #expect(try await slow == 40)
            }
            await rpc.close()
        }
    }

    @Test("Closing drops the requests that nobody has begun to serve")
    func closing() async throws {
        try await TestBroker.run { broker in
            let (topic, served) = (TestBroker.topic(), Counter())
            let client = try await broker.connect()
            let executor = HeldExecutor()
            let service = try await ConventionalRPCManager(
                client, myTopic: topic, config: RPCConfig(taskExecutor: executor)
            ) {
                $0.register("m") { served.increment() }
            }
            let caller = RPCManager(try await broker.connect())
            // Each fails when its client disconnects; awaited below.
            let calls = (0..<3).map { _ in Task { try await caller.call(topic, "m") } }
            // The broker has taken all three, and so the service's client has: they came before this one.
            while caller.pendingCallCount < 3 { await Task.yield() }
            let last = TestBroker.topic()
            let arrived = Gate()
            try await client.subscribe(last, qos: .atLeastOnce) { (_: MQTTMessage) in arrived.open() }
            try await caller.client.publish(last, "", qos: .atLeastOnce)
            await arrived.wait()
            // Nothing of the service runs, and yet this ends.
            await service.close()
            executor.letGo()
            await caller.client.disconnect()
            for call in calls { await #expect(throws: MQTTXError.self) { try await call.value } }
            #expect(served.count == 0)
        }
    }

    @TaskLocal private static var mark = "none"

    @Test("Task-local values of whoever hands in a request do not reach its handler")
    func taskLocals() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let client = try await broker.connect()
            let rpc = RPCManager(client)
            rpc.register("mark") { Self.mark }
            try await client.subscribe(topic) { (message: MQTTMessage) in
                Self.$mark.withValue("handed in") { rpc.handleRPCMessage(message) }
            }
            let caller = RPCManager(try await broker.connect())
            for _ in 0..<2 { #expect(try await caller.call(topic, "mark") == "none") }
            await rpc.close()
        }
    }

    @Test("An executor may run what it is given at once")
    func atOnce() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let executor = HeldExecutor()
            executor.letGo()
            let service = try await ConventionalRPCManager(
                try await broker.connect(), myTopic: topic, config: RPCConfig(taskExecutor: executor)
            ) {
                $0.register("m") { (number: Int) async -> Int in
                    await Task.yield()
                    return number
                }
            }
            let caller = RPCManager(try await broker.connect())
            for number in 0..<50 { #expect(try await caller.call(topic, "m", params: number) as Int == number) }
            await service.close()
        }
    }

    @Test("A handler that cancels its own task leaves no other cancelled", arguments: [false, true])
    func cancelled(onLoop: Bool) async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let client = try await broker.connect()
            let service = try await ConventionalRPCManager(
                client, myTopic: topic, config: RPCConfig(taskExecutor: onLoop ? client.taskExecutor : nil)
            ) {
                $0.register("cancel") { withUnsafeCurrentTask { $0?.cancel() } }
                $0.register("isCancelled") { Task.isCancelled }
            }
            let caller = RPCManager(try await broker.connect())
            for _ in 0..<20 {
                async let cancelling = caller.call(topic, "cancel")
                async let other = caller.call(topic, "isCancelled")
                _ = try await cancelling
                #expect(try await other == false)
                #expect(try await caller.call(topic, "isCancelled") == false)
            }
            await service.close()
        }
    }

    @Test("Nobody of the crew waits on the event loop of a client that has stopped")
    func rest() async throws {
        weak var crew: Crew?
        try await TestBroker.run { broker in
            let (topic, started, gate) = (TestBroker.topic(), Gate(), Gate())
            let client = try await broker.connect()
            let service = try await ConventionalRPCManager(
                client, myTopic: topic, config: RPCConfig(taskExecutor: client.taskExecutor)
            ) {
                $0.register("quick") { 1 }
                $0.register("slow") { () async -> Int in
                    started.open()
                    await gate.wait()
                    return 2
                }
            }
            crew = service.rpcManager.core.responder.crew
            let caller = RPCManager(try await broker.connect())
            #expect(try await caller.call(topic, "quick") == 1)
            // Fails when its client disconnects; awaited below.
            let slow = Task { try await caller.call(topic, "slow") }
            await started.wait()
            #expect(crew?.memberCount == 1)
            await client.disconnect()
            // One handler outlasts the connection.
            gate.open()
            while crew?.memberCount != 0 { await Task.yield() }
            try await client.connect()
            // Answered behind the subscription that connecting asks for again: requests come from then on.
            _ = try await client.subscribe("\(topic)/other") { _ in }
            #expect(try await caller.call(topic, "quick") == 1)
            #expect(crew?.memberCount == 1)
            await caller.client.disconnect()
            _ = await slow.result
            await service.close()
        }
    }

    @Test("An endpoint that nobody needs any more goes, and its crew with it", arguments: [false, true])
    func end(onLoop: Bool) async throws {
        weak var core: RPCCore?
        weak var calls: PendingCalls?
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let client = try await broker.connect()
            do {
                let rpc = try await ConventionalRPCManager(
                    client, myTopic: topic, config: RPCConfig(taskExecutor: onLoop ? client.taskExecutor : nil)
                ) { $0.register("m") { 1 } }
                core = rpc.rpcManager.core
                calls = rpc.rpcManager.core.calls
                // Their deadlines are far off, the later call's first.
                for seconds in [7_200, 3_600] {
                    #expect(try await rpc.call(topic, "m", timeout: .seconds(seconds)) == 1)
                }
            }
            // The client's subscription holds it still.
            #expect(core != nil)
            await client.disconnect()
        }
        // Tasks that end may hold it a moment longer.
        while core != nil || calls != nil { await Task.yield() }
    }
}
