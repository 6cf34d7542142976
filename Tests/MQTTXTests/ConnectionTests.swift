import MQTTX
import MQTTXBroker
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct RPCConnectionTests {
    /// A service whose method waits for a gate.
    @discardableResult
    private func serve(
        _ client: MQTTClient, _ topic: String, _ started: Gate, _ gate: Gate
    ) async throws -> ConventionalRPCManager {
        try await ConventionalRPCManager(client, myTopic: topic) {
            $0.register("slow") { () async -> String in
                started.open()
                await gate.wait()
                return "done"
            }
        }
    }

    @Test("Not connected, a call fails at once")
    func notConnected() async throws {
        try await TestBroker.run { broker in
            let rpc = RPCManager(broker.client())
            #expect(await error { try await rpc.call("t", "m") }?.code == .notConnected)
            let client = try await broker.connect()
            let other = RPCManager(client)
            await client.disconnect()
            #expect(await error { try await other.call("t", "m") }?.code == .notConnected)
        }
    }

    @Test("A call goes on waiting while the client reconnects to its session, and gets its response there")
    func sessionKept() async throws {
        try await TestBroker.run { broker in
            guard let embedded = broker.broker else { return }
            let (started, gate, topic) = (Gate(), Gate(), TestBroker.topic())
            try await serve(try await broker.connect("service"), topic, started, gate)
            let caller = try await broker.connect("caller")
            let rpc = RPCManager(caller)
            let call = Task { try await rpc.call(topic, "slow") }
            await started.wait()
            var states = caller.states.makeAsyncIterator()
            await embedded.dropConnections()
            while let state = await states.next(), state.isConnected {}
            gate.open()
            #expect(try await call.value == "done")
        }
    }

    @Test("A call fails when the connection goes that its session ends with")
    func sessionOfConnection() async throws {
        try await TestBroker.run { broker in
            guard let embedded = broker.broker else { return }
            let (started, gate, topic) = (Gate(), Gate(), TestBroker.topic())
            try await serve(try await broker.connect("service"), topic, started, gate)
            let rpc = RPCManager(try await broker.connect("caller") { $0.cleanSession = true })
            let call = Task { try await rpc.call(topic, "slow") }
            await started.wait()
            await embedded.dropConnections()
            #expect(await error { _ = try await call.value }?.code == .connectionLost)
            gate.open()
        }
    }

    @Test("A call fails when the broker has lost the session")
    func sessionLost() async throws {
        try await TestBroker.run { broker in
            guard let embedded = broker.broker else { return }
            let (started, gate, topic) = (Gate(), Gate(), TestBroker.topic())
            let service = try await serve(try await broker.connect("service"), topic, started, gate)
            let caller = try await broker.connect("caller")
            let rpc = RPCManager(caller)
            let call = Task { try await rpc.call(topic, "slow") }
            await started.wait()
            try await embedded.stop()
            let next = try await Broker.start(BrokerConfig(listeners: [.tcp(port: broker.port)]))
            #expect(await error { _ = try await call.value }?.code == .connectionLost)
            gate.open()
            // Topic and inbox are restored with the connections.
            for client in [service.client, caller] {
                for await state in client.states where state.isConnected { break }
            }
            #expect(try await service.call(topic, "__ping__") == true)
            #expect(try await rpc.call(topic, "__ping__") == true)
            await caller.disconnect()
            try await next.stop()
        }
    }

    @Test("A call fails when the client disconnects, and when it does not reconnect")
    func clientStops() async throws {
        try await TestBroker.run { broker in
            guard let embedded = broker.broker else { return }
            for reconnects in [true, false] {
                let (started, gate, topic) = (Gate(), Gate(), TestBroker.topic())
                try await serve(try await broker.connect("service \(reconnects)"), topic, started, gate)
                let client = try await broker.connect("caller \(reconnects)") { $0.reconnect.enabled = reconnects }
                let rpc = RPCManager(client)
                let call = Task { try await rpc.call(topic, "slow") }
                await started.wait()
                if reconnects { await client.disconnect() } else { await embedded.dropConnections() }
                #expect(await error { _ = try await call.value }?.code == .connectionLost)
                gate.open()
            }
        }
    }

    @Test("An endpoint made before the connection serves once there is one")
    func beforeConnecting() async throws {
        try await TestBroker.run { broker in
            let client = broker.client()
            let topic = TestBroker.topic()
            let rpc = try await ConventionalRPCManager(client, myTopic: topic) { $0.register("one") { 1 } }
            try await client.connect()
            try await rpc.ready()
            let caller = RPCManager(try await broker.connect())
            #expect(try await caller.call(topic, "one") == 1)
        }
    }

    @Test("Responders in a group share the requests, and each can call out")
    func group() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let counters = [Counter(), Counter()]
            var services: [ConventionalRPCManager] = []
            for counter in counters {
                services.append(
                    try await ConventionalRPCManager(try await broker.connect(), myTopic: topic, group: "g") {
                        $0.register("count") { counter.increment() }
                    })
            }
            let rpc = RPCManager(try await broker.connect())
            for _ in 0..<20 { try await rpc.call(topic, "count") }
            #expect(counters.map(\.count).reduce(0, +) == 20)
            #expect(counters.allSatisfy { $0.count > 0 })
            #expect(try await services[0].call(topic, "__ping__") == true)
        }
    }

    @Test("Closing cancels what runs, fails what waits, and takes no more")
    func close() async throws {
        try await TestBroker.run { broker in
            let (started, cancelled, topic) = (Gate(), Gate(), TestBroker.topic())
            let client = try await broker.connect()
            let rpc = try await ConventionalRPCManager(client, myTopic: topic) {
                $0.register("forever") { () async throws -> Int in
                    started.open()
                    do { try await Task.sleep(for: .seconds(3_600)) } catch { cancelled.open() }
                    return 0
                }
            }
            let call = Task { try await rpc.call(topic, "forever") }
            await started.wait()
            await rpc.close()
            await cancelled.wait()
            #expect(await error { _ = try await call.value }?.code == .notConnected)
            #expect(await error { try await rpc.call(topic, "forever") }?.code == .notConnected)
            // Its topic is free, and nothing of the old endpoint answers.
            let other = try await ConventionalRPCManager(client, myTopic: topic)
            #expect(await error { try await other.call(topic, "forever") }?.code == .methodNotFound)
        }
    }

    @Test("Where responses come in is subscribed to anew when the program has unsubscribed it")
    func inboxGone() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let service = try await ConventionalRPCManager(try await broker.connect(), myTopic: topic) {
                $0.register("m") { 1 }
            }
            let caller = try await broker.connect("caller")
            let rpc = RPCManager(caller)
            for _ in 0..<2 {
                #expect(try await rpc.call(topic, "m") == 1)
                try await caller.unsubscribe("rpc/r/\(caller.clientID)")
            }
            // The same on another connection.
            await caller.disconnect()
            try await caller.connect()
            #expect(try await rpc.call(topic, "m") == 1)
            await service.close()
        }
    }

    @Test("A subscription that the broker refuses is the caller's error, and the next call asks again")
    func inboxRefused() async throws {
        var config = BrokerConfig()
        config.deniedFilters = ["rpc/r/fixed"]
        try await TestBroker.run(config) { broker in
            guard broker.broker != nil else { return }
            let rpc = RPCManager(try await broker.connect { $0.clientID = "fixed" })
            for _ in 0..<2 {
                #expect(await error { try await rpc.call("t", "m") }?.code == .subscribeFailed)
            }
            #expect(rpc.pendingCallCount == 0)
        }
    }
}
