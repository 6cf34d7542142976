import MQTTX
import MQTTXBroker
import Synchronization
import TestSupport
import Testing

/// MQTT 5.0 through the public API, with the embedded broker at the other end.
@Suite(.timeLimit(.minutes(1))) struct BrokerFeatureTests {
    private func scram(_ users: [String: String]) throws -> BrokerConfig {
        var config = BrokerConfig()
        config.anonymous = .never
        config.enhancedAuthenticators = [
            MQTTXBroker.SCRAMSHA256(users: try users.mapValues { try .init(password: $0) })
        ]
        return config
    }

    @Test("SCRAM-SHA-256 lets in who knows the password, and again on the live connection [MQTT-4.12]")
    func scram() async throws {
        try await TestBroker.run(try scram(["edge,1": "pä ss=wörd"])) { broker in
            guard broker.broker != nil else { return }
            // Composed otherwise than at the broker: one form for both.
            let client = try await broker.connect {
                $0.authenticationMethod = SCRAMSHA256Method(username: "edge,1", password: "pa\u{308} ss=wo\u{308}rd")
            }
            try await client.publish("a", "x", qos: .exactlyOnce)
            for _ in 0..<3 { try await client.reauthenticate() }
            try await client.publish("a", "x", qos: .exactlyOnce)
            #expect(await client.statistics.connections == 1)
        }
    }

    @Test("SCRAM-SHA-256 keeps out who does not", arguments: [("edge", "wrong"), ("nobody", "secret"), ("edge", "")])
    func scramRefused(username: String, password: String) async throws {
        try await TestBroker.run(try scram(["edge": "secret"])) { broker in
            guard broker.broker != nil else { return }
            let failure = await error {
                _ = try await broker.connect {
                    $0.authenticationMethod = SCRAMSHA256Method(username: username, password: password)
                }
            }
            #expect(failure?.code == .authenticationFailed)
        }
    }

    @Test("A broker that asks for too many rounds of hashing is left")
    func scramIterations() async throws {
        try await TestBroker.run(try scram(["edge": "secret"])) { broker in
            guard broker.broker != nil else { return }
            let failure = await error {
                _ = try await broker.connect {
                    $0.authenticationMethod = SCRAMSHA256Method(
                        username: "edge", password: "secret", iterations: 10_000...20_000)
                }
            }
            #expect(failure?.code == .authenticationFailed)
            #expect(failure?.message.contains("4096") == true)
        }
    }

    @Test("A will waits for its delay, and carries its properties [MQTT-3.1.3-9]")
    func will() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic("will")
            let probe = try await Probe(try await broker.connect(), topic)
            func vanish(_ delay: UInt32, _ text: String) async throws {
                let client = try await broker.connect(text) {
                    $0.sessionExpiry = .seconds(600)
                    $0.will = Will(
                        topic: topic, payload: ByteBuffer(string: text), qos: .atLeastOnce,
                        properties: .with {
                            $0.willDelayInterval = delay
                            $0.contentType = "text/plain"
                            $0.userProperties = [UserProperty("k", "v")]
                        })
                }
                await client.disconnect(reasonCode: .disconnectWithWill)
            }
            try await vanish(600, "later")
            try await vanish(0, "now")
            let message = try await probe.next()
            #expect(message.string == "now")
            #expect(message.properties.contentType == "text/plain")
            #expect(message.properties.userProperty("k") == "v")
        }
    }

    @Test("Subscription options hold: no local, retain as published, retain handling, in handlers and streams")
    func options() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic("options")
            let publisher = try await broker.connect()
            try await publisher.publish("\(topic)/kept", "kept", qos: .atLeastOnce, retain: true)
            let client = try await broker.connect()
            let (stream, continuation) = AsyncStream.makeStream(of: MQTTMessage.self)
            try await client.subscribe(
                "\(topic)/#", noLocal: true, retainAsPublished: true, retainHandling: .doNotSend
            ) { (message: MQTTMessage) in _ = continuation.yield(message) }
            try await client.publish("\(topic)/own", "own", qos: .atLeastOnce)
            try await publisher.publish("\(topic)/flag", "flag", qos: .atLeastOnce, retain: true)
            var received = stream.makeAsyncIterator()
            let first = try #require(await received.next())
            #expect(first.string == "flag" && first.retain)
            // With the usual options the kept ones come, and only they are marked.
            for try await message in client.messages("\(topic)/kept", retainHandling: .sendAtSubscribe) {
                #expect(message.string == "kept" && message.retain)
                break
            }
            for name in ["kept", "flag"] {
                try await publisher.publish("\(topic)/\(name)", "", qos: .atLeastOnce, retain: true)
            }
        }
    }

    @Test("Members of a shared subscription share the messages, and one that can't leave out its own is refused")
    func shared() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic("shared")
            let (stream, continuation) = AsyncStream.makeStream(of: (Int, String).self)
            for number in 0..<2 {
                try await broker.connect().subscribe("$share/g/\(topic)") { (message: MQTTMessage) in
                    _ = continuation.yield((number, message.string ?? ""))
                }
            }
            let publisher = try await broker.connect()
            for number in 0..<20 { try await publisher.publish(topic, "\(number)", qos: .atLeastOnce) }
            var texts: Set<String> = []
            var members: Set<Int> = []
            for await (member, text) in stream {
                members.insert(member)
                #expect(texts.insert(text).inserted)
                if texts.count == 20 { break }
            }
            #expect(members == [0, 1])
            #expect(
                await error { try await publisher.subscribe("$share/g/a", noLocal: true) { (_: MQTTMessage) in } }?.code
                    == .subscribeFailed)
        }
    }

    @Test("A message that has expired is not delivered; one that has not says how long it may still wait")
    func expiry() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic("expiry")
            let publisher = try await broker.connect()
            try await publisher.publish(
                topic, "soon", qos: .atLeastOnce, retain: true, properties: .with { $0.messageExpiryInterval = 600 })
            for try await message in try await broker.connect().messages(topic) {
                #expect(message.properties.messageExpiryInterval.map { (1...600).contains($0) } == true)
                break
            }
            try await publisher.publish(topic, "", qos: .atLeastOnce, retain: true)
        }
    }

    @Test("The reply subscription is granted before the first request goes out")
    func inboxFirst() async throws {
        final class Order: Authorizer {
            let steps = Mutex<[String]>([])
            func note(_ step: String) { steps.withLock { if !$0.contains(step) { $0.append(step) } } }
            func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool {
                note("publish \(topic)")
                return true
            }
            func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool {
                note("subscribe \(filter)")
                return true
            }
        }
        let order = Order()
        var config = BrokerConfig()
        config.authorizer = order
        try await TestBroker.run(config) { broker in
            guard broker.broker != nil else { return }
            let topic = TestBroker.topic("service")
            _ = try await ConventionalRPCManager(try await broker.connect(), myTopic: topic) {
                $0.register("one") { 1 }
            }
            let client = try await broker.connect("caller")
            #expect(try await RPCManager(client).call(topic, "one") == 1)
            let steps = order.steps.withLock { $0 }
            let inbox = "subscribe rpc/r/\(client.clientID)"
            let granted = try #require(steps.firstIndex(of: inbox))
            let sent = try #require(steps.firstIndex(of: "publish \(topic)"))
            #expect(granted < sent)
        }
    }

    @Test("Calls that wait are told at once when the broker sends the client to another, where their session is not")
    func redirected() async throws {
        try await TestBroker.run { broker in
            guard let embedded = broker.broker else { return }
            let (gate, started, topic) = (Gate(), Gate(), TestBroker.topic("service"))
            _ = try await ConventionalRPCManager(try await broker.connect("service"), myTopic: topic) {
                $0.register("slow") { () async -> Int in
                    started.open()
                    await gate.wait()
                    return 1
                }
            }
            let rpc = RPCManager(try await broker.connect("caller") { $0.cleanSession = true })
            let call = Task { try await rpc.call(topic, "slow") }
            await started.wait()
            await embedded.dropConnections(.serverMoved)
            let failure = await error { _ = try await call.value }
            #expect(failure?.code == .connectionLost && failure?.reasonCode == .serverMoved)
            gate.open()
        }
    }
}
