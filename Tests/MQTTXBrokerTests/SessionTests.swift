import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("Sessions and wills", .timeLimit(.minutes(2)))
struct SessionTests {
    @Test(
        """
        A session is present when it was kept, with its subscriptions and messages [MQTT-3.1.2-4, -5, -6, \
        -23, MQTT-3.1.4-4, MQTT-3.2.2-2, -3, MQTT-4.5.0-1, MQTT311-3.1.2-4, -5, -6, MQTT311-3.1.4-3, \
        MQTT311-3.2.2-1, -2, MQTT311-4.1.0-1, MQTT311-4.5.0-1]
        """
    )
    func resume() async throws {
        try await withBroker { broker in
            for version in ProtocolVersion.allCases {
                func open(clean: Bool) async throws -> (RawClient, Bool) {
                    let client = try await RawClient.open(broker, version: version)
                    var connect = Connect(version: version, cleanStart: clean, clientID: "keeper")
                    if version == .v5 { connect.properties.sessionExpiryInterval = 100 }
                    return (client, try await client.handshake(connect).sessionPresent)
                }
                let (fresh, _) = try await open(clean: true)
                try await fresh.disconnect()
                let (first, wasPresent) = try await open(clean: false)
                #expect(wasPresent == (version == .v5))
                try await first.subscribe("kept/#")
                try await first.disconnect()
                let publisher = try await RawClient.connect(broker, version: version)
                try await publisher.publish("kept/0", "none", qos: .atMostOnce)
                try await publisher.publish("kept/1", "one", qos: .atLeastOnce)
                try await publisher.publish("kept/2", "two", qos: .exactlyOnce)
                let (second, isPresent) = try await open(clean: false)
                #expect(isPresent)
                #expect(try await second.message().text == "one")
                #expect(try await second.message().text == "two")
                try await second.disconnect()
                let (third, isGone) = try await open(clean: true)
                #expect(!isGone)
                #expect(try await third.drain().isEmpty)
                // Its subscriptions are gone too.
                try await publisher.publish("kept/3", "three", qos: .atLeastOnce)
                #expect(try await third.drain().isEmpty)
                try await third.disconnect()
            }
        }
    }

    @Test(
        """
        Unacknowledged messages come again with DUP and their identifiers, in order [MQTT-3.3.1-1, \
        MQTT-4.3.3-3, MQTT-4.4.0-1]
        """
    )
    func redelivery() async throws {
        try await withBroker { broker in
            let keep: (inout Properties) -> Void = { $0.sessionExpiryInterval = 100 }
            let first = try await RawClient.connect(broker, "again", properties: keep)
            try await first.subscribe("t/#")
            let publisher = try await RawClient.connect(broker)
            for index in 0..<4 {
                try await publisher.publish("t/x", "\(index)", qos: index % 2 == 0 ? .atLeastOnce : .exactlyOnce)
            }
            var ids: [UInt16] = []
            for _ in 0..<4 { ids.append(try await first.message().packetID) }
            // The second is received, the others stay open.
            try await first.send(.pubrec(Acknowledgement(packetID: ids[1])))
            #expect(try await first.receive() == .pubrel(Acknowledgement(packetID: ids[1])))
            try await first.cut()
            let second = try await RawClient.connect(broker, "again", cleanStart: false, properties: keep)
            var again: [Packet] = []
            for _ in 0..<4 { again.append(try await second.receive()) }
            let seen = again.map { packet -> String in
                switch packet {
                case .publish(let publish): "\(publish.text) \(publish.packetID) \(publish.dup)"
                case .pubrel(let pubrel): "pubrel \(pubrel.packetID)"
                default: "\(packet)"
                }
            }
            #expect(seen == ["0 \(ids[0]) true", "pubrel \(ids[1])", "2 \(ids[2]) true", "3 \(ids[3]) true"])
        }
    }

    @Test("QoS 2 is handed on once, however often it is sent [MQTT-4.3.3-10]")
    func exactlyOnce() async throws {
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("t")
            let publisher = try await RawClient.connect(broker, "p") { $0.sessionExpiryInterval = 100 }
            var publish = Publish(topic: "t", payload: ByteBuffer(string: "x"), qos: .exactlyOnce, packetID: 7)
            try await publisher.send(.publish(publish))
            #expect(try await publisher.receive() == .pubrec(Acknowledgement(packetID: 7)))
            try await publisher.cut()
            let again = try await RawClient.connect(broker, "p", cleanStart: false) { $0.sessionExpiryInterval = 100 }
            publish.dup = true
            try await again.send(.publish(publish))
            #expect(try await again.receive() == .pubrec(Acknowledgement(packetID: 7)))
            try await again.send(.pubrel(Acknowledgement(packetID: 7)))
            #expect(try await again.receive() == .pubcomp(Acknowledgement(packetID: 7)))
            try await again.send(.pubrel(Acknowledgement(packetID: 7)))
            #expect(
                try await again.receive()
                    == .pubcomp(Acknowledgement(packetID: 7, reasonCode: .packetIdentifierNotFound)))
            #expect(try await subscriber.message().text == "x")
            #expect(try await subscriber.drain().isEmpty)
        }
    }

    @Test("What is published once a client has left is no repetition when it comes back [MQTT-3.3.1-1]")
    func queuedWithoutDup() async throws {
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker)
            for _ in 0..<50 {
                let client = try await RawClient.connect(broker, "keeper") { $0.sessionExpiryInterval = 100 }
                try await client.subscribe("t")
                try await client.disconnect()
                try await publisher.publish("t", qos: .atLeastOnce)
                let again = try await RawClient.connect(broker, "keeper", cleanStart: false)
                #expect(try await again.message().dup == false)
            }
        }
    }

    @Test(
        "What was acknowledged right before the connection ended does not come again [MQTT-4.4.0-1]",
        arguments: ProtocolVersion.allCases, [true, false])
    func lastAcknowledgement(version: ProtocolVersion, disconnects: Bool) async throws {
        try await withBroker { broker in
            let keep: (inout Properties) -> Void = { if version == .v5 { $0.sessionExpiryInterval = 100 } }
            let first = try await RawClient.connect(
                broker, "keeper", version: version, cleanStart: false, properties: keep)
            try await first.subscribe("t")
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("t", qos: .atLeastOnce)
            let puback = Packet.puback(Acknowledgement(packetID: try await first.message().packetID))
            if disconnects {
                try await first.send(puback, .disconnect(Disconnect()))
                try await first.closed()
            } else {
                try await first.send(puback)
                try await first.cut()
                while broker.statistics.connections > 1 { _ = try await publisher.drain() }
            }
            let second = try await RawClient.connect(
                broker, "keeper", version: version, cleanStart: false, properties: keep)
            #expect(try await second.drain().isEmpty)
        }
    }

    @Test("A session ends when its expiry has passed [MQTT-3.1.2-23, MQTT-4.1.0-2]")
    func expiry() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, "short") { $0.sessionExpiryInterval = 1 }
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("will")
            try await client.disconnect()
            let will = Will(
                topic: "will", payload: ByteBuffer(string: "over"), properties: .with { $0.willDelayInterval = 60 })
            let second = try await RawClient.connect(broker, "short", cleanStart: false, will: will) {
                $0.sessionExpiryInterval = 1
            }
            try await second.cut()
            // The will waits for its delay or the end of the session, whichever is first [MQTT-3.1.3-9].
            #expect(try await watcher.message().text == "over")
            #expect(broker.statistics.sessions == 1)
        }
    }

    @Test("DISCONNECT may change the expiry, but not from none [MQTT-3.14.2-2]")
    func expiryAtDisconnect() async throws {
        try await withBroker { broker in
            let kept = try await RawClient.connect(broker, "kept") { $0.sessionExpiryInterval = 100 }
            try await kept.disconnect(properties: .with { $0.sessionExpiryInterval = 0 })
            let back = try await RawClient.open(broker)
            #expect(
                try await back.handshake(Connect(version: .v5, cleanStart: false, clientID: "kept")).sessionPresent
                    == false)
            try await back.send(.disconnect(Disconnect(properties: .with { $0.sessionExpiryInterval = 5 })))
            #expect(try await back.closed() == .protocolError)
        }
    }

    @Test("A will is published when the connection is cut, and not after DISCONNECT [MQTT-3.1.2-8]")
    func will() async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("will/#")
            func doomed(_ name: String) async throws -> RawClient {
                try await RawClient.connect(
                    broker, name,
                    will: Will(topic: "will/\(name)", payload: ByteBuffer(string: name), qos: .atLeastOnce))
            }
            try await doomed("proper").disconnect()
            try await doomed("wanted").disconnect(.disconnectWithWill)
            #expect(try await watcher.message().text == "wanted")
            try await doomed("cut").cut()
            #expect(try await watcher.message().text == "cut")
            _ = try await doomed("taken")
            _ = try await RawClient.connect(broker, "taken")
            #expect(try await watcher.message().text == "taken")
            #expect(try await watcher.drain().isEmpty)
        }
    }

    @Test("A client that comes back within the will delay cancels its will [MQTT-3.1.2-8, MQTT-3.1.3-9]")
    func willDelay() async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("will/#")
            let will = Will(
                topic: "will/a", payload: ByteBuffer(string: "a"), properties: .with { $0.willDelayInterval = 1 })
            let first = try await RawClient.connect(broker, "a", will: will) { $0.sessionExpiryInterval = 100 }
            try await first.cut()
            let second = try await RawClient.connect(broker, "a", cleanStart: false, will: will) {
                $0.sessionExpiryInterval = 100
            }
            try await second.cut()
            let start = ContinuousClock.now
            #expect(try await watcher.message().text == "a")
            #expect(start.duration(to: .now) > .milliseconds(900))
            #expect(try await watcher.drain().isEmpty)
        }
    }

    @Test("A queue that is full drops by its policy, and counts it")
    func fullQueue() async throws {
        for policy in [BrokerConfig.DropPolicy.newest, .oldest] {
            try await withBroker({
                $0.maximumQueuedMessages = 3
                $0.dropPolicy = policy
            }) { broker in
                let away = try await RawClient.connect(broker, "away") { $0.sessionExpiryInterval = 100 }
                try await away.subscribe("t", .init(qos: .atLeastOnce))
                try await away.disconnect()
                let publisher = try await RawClient.connect(broker)
                for index in 0..<5 { try await publisher.publish("t", "\(index)", qos: .atLeastOnce) }
                let back = try await RawClient.connect(broker, "away", cleanStart: false)
                let texts = try await back.drain().map { packet in
                    if case .publish(let publish) = packet { publish.text } else { "\(packet)" }
                }
                #expect(texts == (policy == .newest ? ["0", "1", "2"] : ["2", "3", "4"]))
                #expect(broker.statistics.messagesDropped == 2)
            }
        }
    }

    @Test("What has expired in a full queue makes way for what comes [MQTT-3.3.2-5]")
    func expiredInFullQueue() async throws {
        for policy in [BrokerConfig.DropPolicy.newest, .oldest] {
            try await withBroker({
                $0.maximumQueuedMessages = 3
                $0.dropPolicy = policy
            }) { broker in
                let away = try await RawClient.resume(broker, "away")
                try await away.subscribe("t", .init(qos: .atLeastOnce))
                try await away.disconnect()
                let publisher = try await RawClient.connect(broker)
                try await publisher.subscribe("clock")
                try await publisher.publish("t", "0", qos: .atLeastOnce)
                for _ in 0..<2 {
                    try await publisher.publish("t", qos: .atLeastOnce) { $0.messageExpiryInterval = 1 }
                }
                // A second, told by the broker itself.
                let clock = Will(topic: "clock", payload: ByteBuffer(), properties: .with { $0.willDelayInterval = 1 })
                try await RawClient.resume(broker, "clock", will: clock).cut()
                #expect(try await publisher.message().topic == "clock")
                for index in 1...3 { try await publisher.publish("t", "\(index)", qos: .atLeastOnce) }
                let back = try await RawClient.resume(broker, "away")
                #expect(try await back.texts(3) == (policy == .newest ? ["0", "1", "2"] : ["1", "2", "3"]))
                #expect(broker.statistics.messagesDropped == 1)
            }
        }
    }
}
