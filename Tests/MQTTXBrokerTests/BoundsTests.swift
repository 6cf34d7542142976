import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("What clients can make the broker keep is bounded", .timeLimit(.minutes(2)))
struct BoundsTests {
    private static func publish(_ topic: String, bytes: Int, packetID: UInt16) -> Packet {
        .publish(
            Publish(
                topic: topic, payload: ByteBuffer(repeating: UInt8(ascii: "x"), count: bytes), qos: .atLeastOnce,
                packetID: packetID))
    }

    @Test("Publishers that leave don't fill the queue of a subscriber that takes nothing")
    func manyPublishers() async throws {
        try await withBroker({
            $0.stallTimeout = .seconds(60)
            $0.maximumQueuedBytes = 1 << 20
        }) { broker in
            let stuck = try await RawClient.connect(broker)
            try await stuck.subscribe("t", .init(qos: .atLeastOnce))
            try await stuck.setReading(false)
            // Each is held after its first message, and what it sent counts although it leaves.
            for _ in 0..<80 where broker.statistics.messagesDropped == 0 {
                let publisher = try await RawClient.connect(broker)
                try await publisher.send(Self.publish("t", bytes: 500_000, packetID: 1))
                _ = try await publisher.receive()
                try await publisher.cut()
            }
            #expect(broker.statistics.messagesDropped > 0)
        }
    }

    @Test("Messages that a client does not acknowledge are bounded by their bytes too")
    func inFlight() async throws {
        try await withBroker({
            $0.stallTimeout = .milliseconds(50)
            $0.maximumQueuedBytes = 1 << 20
        }) { broker in
            let silent = try await RawClient.connect(broker)
            try await silent.subscribe("t", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker)
            for index in 1...60 as ClosedRange<UInt16> {
                try await publisher.send(Self.publish("t", bytes: 100_000, packetID: index))
                _ = try await publisher.receive()
            }
            #expect(broker.statistics.messagesDropped > 30)
        }
    }

    @Test("The queues of all sessions together are bounded, and what is taken makes room")
    func total() async throws {
        try await withBroker({ $0.maximumTotalQueuedBytes = 1 << 20 }) { broker in
            let keep: (inout Properties) -> Void = { $0.sessionExpiryInterval = 100 }
            for index in 0..<40 {
                let client = try await RawClient.connect(broker, "away-\(index)", properties: keep)
                try await client.subscribe("t/\(index)", .init(qos: .atLeastOnce))
                try await client.disconnect()
            }
            let publisher = try await RawClient.connect(broker)
            func send(to index: Int) async throws {
                try await publisher.send(Self.publish("t/\(index)", bytes: 100_000, packetID: 1))
                _ = try await publisher.receive()
            }
            for index in 0..<40 { try await send(to: index) }
            #expect((28...32).contains(broker.statistics.messagesDropped))
            for index in 0..<4 {
                let back = try await RawClient.connect(broker, "away-\(index)", cleanStart: true)
                try await back.disconnect()
            }
            let before = broker.statistics.messagesDropped
            try await send(to: 30)
            #expect(broker.statistics.messagesDropped == before)
        }
    }

    @Test("A SUBSCRIBE whose filters match all retained messages is served as fast as it is read, and completely")
    func retained() async throws {
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker)
            let count = 300
            let pad = String(repeating: "x", count: 2000)
            for index in 1...count {
                try await publisher.publish("r/a/b/c/d/\(index)", pad, qos: .atLeastOnce, retain: true)
            }
            // Each level as its name or as a wildcard: 32 filters, each of which matches everything.
            let filters = (0..<32).map { bits in
                let levels = ["r", "a", "b", "c", "d"].enumerated().map { bits >> $0 & 1 == 1 ? "+" : $1 }
                return SubscriptionRequest((levels + ["+"]).joined(separator: "/"), options: .init(qos: .atMostOnce))
            }
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.setReading(false)
            let before = broker.statistics.messagesSent
            try await subscriber.send(.subscribe(Subscribe(packetID: 1, filters: filters)))
            while broker.statistics.messagesSent == before { try await publisher.send(.pingreq) }
            _ = try await publisher.drain()
            #expect(broker.statistics.messagesSent - before < 32 * count)
            try await subscriber.setReading(true)
            guard case .suback = try await subscriber.receive() else { throw RawClientError.unexpected }
            for _ in 0..<32 * count { _ = try await subscriber.message() }
            #expect(try await subscriber.drain().isEmpty)
        }
    }

    @Test("What comes after a SUBSCRIBE does not go before the retained messages that the client takes at once")
    func afterRetained() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            let pad = String(repeating: "x", count: 1000)
            for index in 0..<1000 { try await client.publish("r/\(index)", pad, qos: .atLeastOnce, retain: true) }
            try await client.send(
                .subscribe(Subscribe(packetID: 1, filters: [.init("r/#", options: .init(qos: .atMostOnce))])),
                .publish(Publish(topic: "r/last", payload: ByteBuffer(string: "live"))))
            guard case .suback = try await client.receive() else { throw RawClientError.unexpected }
            var messages: [Publish] = []
            for _ in 0..<1001 { messages.append(try await client.message()) }
            #expect(try await client.drain().isEmpty)
            #expect(messages.prefix(200).allSatisfy { $0.retain })
            #expect(messages.filter { !$0.retain }.map(\.text) == ["live"])
            #expect(Set(messages.map(\.topic)).count == 1001)
        }
    }

    @Test("A client that was away in the midst of its retained messages gets the rest when it is back")
    func resumedRetained() async throws {
        try await withBroker { broker in
            let count = 1500
            let publisher = try await RawClient.connect(broker)
            for index in 0..<count { try await publisher.publish("r/\(index)", qos: .atLeastOnce, retain: true) }
            let keep: (inout Properties) -> Void = {
                $0.sessionExpiryInterval = 100
                $0.receiveMaximum = 10
            }
            let first = try await RawClient.connect(broker, "away", properties: keep)
            try await first.subscribe("r/+", .init(qos: .atLeastOnce))
            _ = try await first.message()
            try await first.cut()
            let second = try await RawClient.connect(broker, "away", cleanStart: false, properties: keep)
            var topics: Set<String> = []
            while topics.count < count {
                let message = try await second.message()
                #expect(message.retain)
                topics.insert(message.topic)
                try await second.send(.puback(.init(packetID: message.packetID)))
            }
        }
    }

    @Test(
        "Wills of all clients together are bounded, with those that wait for their delay, and what is gone makes room")
    func wills() async throws {
        try await withBroker({ $0.maximumWillBytes = 1 << 20 }) { broker in
            func connect(_ id: String, _ version: ProtocolVersion = .v5) async throws -> RawClient {
                let payload = ByteBuffer(repeating: UInt8(ascii: "x"), count: 60_000)
                let properties = Properties.with {
                    $0.willDelayInterval = 1000
                    $0.userProperties = [.init("name", String(repeating: "y", count: 40_000))]
                }
                let will = Will(topic: "w", payload: payload, properties: version == .v5 ? properties : .init())
                return try await RawClient.connect(broker, id, version: version, cleanStart: false, will: will) {
                    if version == .v5 { $0.sessionExpiryInterval = 1000 }
                }
            }
            var clients: [RawClient] = []
            for index in 0..<10 { clients.append(try await connect("\(index)")) }
            await #expect(throws: RawClientError.refused(.quotaExceeded)) { try await connect("more") }
            await #expect(throws: RawClientError.refused(.serverUnavailable)) { try await connect("old", .v3_1_1) }
            // One that is gone without a word leaves its will behind, until its client is back.
            try await clients[0].cut()
            await #expect(throws: RawClientError.refused(.quotaExceeded)) { try await connect("more") }
            let back = try await RawClient.connect(broker, "0", cleanStart: false)
            clients.append(try await connect("more"))
            await #expect(throws: RawClientError.refused(.quotaExceeded)) { try await connect("again") }
            // One that says good-bye takes it along.
            try await clients[1].disconnect()
            clients.append(try await connect("again"))
            try await back.disconnect()
        }
    }

    @Test("Packets of all clients that have not wholly arrived are bounded, and what is gone or complete makes room")
    func partials() async throws {
        try await withBroker({ $0.maximumPartialBytes = 1 << 20 }) { broker in
            let size = 600_000
            /// Sends so much of a PUBLISH with a payload of that size, and waits until the broker has read it.
            func send(_ client: RawClient, from start: Int = 0, to end: Int? = nil) async throws {
                var packet = ByteBuffer()
                let publish = Publish(topic: "t", payload: ByteBuffer(repeating: UInt8(ascii: "x"), count: size))
                try PacketEncoder(version: client.version).encode(.publish(publish), into: &packet)
                let part = try #require(packet.getSlice(at: start, length: (end ?? packet.readableBytes) - start))
                let before = broker.statistics.bytesReceived
                try await client.send(bytes: part)
                while broker.statistics.bytesReceived < before + part.readableBytes { await Task.yield() }
            }
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("t")
            let first = try await RawClient.connect(broker, version: .v3_1_1)
            let second = try await RawClient.connect(broker)
            try await send(first, to: 500_000)
            try await send(second, to: 500_000)
            for version in ProtocolVersion.allCases {
                let client = try await RawClient.connect(broker, version: version)
                try await send(client, to: 100_000)
                #expect(try await client.closed() == (version == .v5 ? .quotaExceeded : nil))
            }
            // One that has not yet said who it is, in the middle of a CONNECT of 1 MiB.
            let stranger = try await RawClient.open(broker)
            try await stranger.send(bytes: [0x10, 0x80, 0x80, 0x40] + Array(repeating: 0, count: 100_000))
            #expect(try await stranger.closed() == nil)
            try await send(first, from: 500_000)
            #expect(try await subscriber.message().payload.readableBytes == size)
            try await send(first, to: 500_000)
            try await second.cut()
            let third = try await RawClient.connect(broker)
            try await send(third, to: 500_000)
            try await send(third, from: 500_000)
            #expect(try await subscriber.message().payload.readableBytes == size)
        }
    }

    @Test("Subscriptions of all clients together are bounded by the memory they take")
    func subscriptions() async throws {
        try await withBroker({ $0.maximumSubscriptionBytes = 4 << 20 }) { broker in
            let client = try await RawClient.connect(broker)
            func deep(_ index: Int) -> String { "\(index)" + String(repeating: "/", count: 10_000) }
            var granted = 0
            while granted < 100, try await client.subscribe(deep(granted)) == .grantedQoS2 { granted += 1 }
            #expect((2..<100).contains(granted))
            #expect(try await client.subscribe(deep(granted)) == .quotaExceeded)
            try await client.send(.unsubscribe(Unsubscribe(packetID: 1, filters: [deep(0)])))
            _ = try await client.receive()
            #expect(try await client.subscribe(deep(granted)) == .grantedQoS2)
        }
    }

    @Test("Retained topics count with the levels they are made of")
    func deepRetained() async throws {
        try await withBroker({ $0.maximumRetainedBytes = 8 << 20 }) { broker in
            let client = try await RawClient.connect(broker)
            func store(_ index: Int, _ payload: String = "x") async throws -> ReasonCode? {
                try await client.publish(
                    "\(index)" + String(repeating: "/", count: 10_000), payload, qos: .atLeastOnce, retain: true)
            }
            var kept = 0
            while kept < 100, try await store(kept) != .quotaExceeded { kept += 1 }
            #expect((2..<100).contains(kept))
            _ = try await store(0, "")
            #expect(try await store(kept) != .quotaExceeded)
        }
    }

    @Test(
        "A message that can't be retained is refused where the client can be told, and otherwise goes to those who are there"
    )
    func unretained() async throws {
        try await withBroker({ $0.maximumRetainedMessages = 1 }) { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("#", .init(qos: .atLeastOnce))
            let new = try await RawClient.connect(broker)
            let old = try await RawClient.connect(broker, version: .v3_1_1)
            #expect(try await new.publish("kept", "1", qos: .atLeastOnce, retain: true) == .success)
            #expect(try await new.publish("a", "refused", qos: .atLeastOnce, retain: true) == .quotaExceeded)
            try await new.publish("b", "2", retain: true)
            _ = try await new.drain()
            try await old.publish("c", "3", qos: .atLeastOnce, retain: true)
            var texts: [String] = []
            for _ in 0..<3 { texts.append(try await subscriber.message().text) }
            #expect(texts == ["1", "2", "3"])
            let late = try await RawClient.connect(broker)
            try await late.subscribe("#")
            #expect(try await late.message().topic == "kept")
            #expect(try await late.drain().isEmpty)
        }
    }
}
