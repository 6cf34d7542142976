import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("Back-pressure", .timeLimit(.minutes(2)))
struct BackPressureTests {
    private static let payload = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1000)

    @Test(
        "A slow subscriber that makes progress holds its publisher, and misses nothing, whatever Receive Maximum says",
        arguments: [QoS.atMostOnce, .atLeastOnce], [ProtocolVersion.v3_1_1, .v5])
    func holds(qos: QoS, version: ProtocolVersion) async throws {
        try await withBroker({ $0.stallTimeout = .seconds(30) }) { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("t", .init(qos: qos))
            try await subscriber.setReading(false)
            let publisher = try await RawClient.connect(broker, version: version)
            let count = 20_000
            async let sending: Void = {
                for index in 1...count {
                    let publish = Publish(
                        topic: "t", payload: Self.payload, qos: qos, packetID: qos == .atMostOnce ? 0 : UInt16(index))
                    try await publisher.send(.publish(publish))
                }
            }()
            // The held publisher is the event that tells that all buffers are full.
            while broker.statistics.publishersHeld == 0 { await Task.yield() }
            try await subscriber.setReading(true)
            for _ in 1...count {
                let message = try await subscriber.message()
                if qos == .atLeastOnce { try await subscriber.send(.puback(.init(packetID: message.packetID))) }
            }
            try await sending
            #expect(broker.statistics.messagesDropped == 0)
        }
    }

    @Test("A subscriber that takes nothing stops holding after the timeout, and costs others nothing")
    func stalls() async throws {
        try await withBroker({ $0.stallTimeout = .milliseconds(200) }) { broker in
            let stuck = try await RawClient.connect(broker)
            try await stuck.subscribe("t", .init(qos: .atLeastOnce))
            let other = try await RawClient.connect(broker)
            try await other.subscribe("t", .init(qos: .atMostOnce))
            let publisher = try await RawClient.connect(broker, version: .v3_1_1)
            let count = 10_000
            async let sending: Void = {
                for index in 1...count {
                    let publish = Publish(topic: "t", payload: Self.payload, qos: .atLeastOnce, packetID: UInt16(index))
                    try await publisher.send(.publish(publish))
                }
            }()
            for _ in 1...count { _ = try await other.message() }
            try await sending
            #expect(broker.statistics.subscribersStalled >= 1)
            #expect(broker.statistics.messagesDropped > 0)
        }
    }

    @Test("A connected subscriber that takes nothing is kept no more than may be queued, however little that is")
    func smallQueue() async throws {
        try await withBroker({
            $0.stallTimeout = .milliseconds(100)
            $0.maximumInflight = 3
            $0.maximumQueuedMessages = 5
        }) { broker in
            let stuck = try await RawClient.connect(broker)
            try await stuck.subscribe("t", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker)
            for index in 1...UInt16(50) {
                let publish = Publish(topic: "t", payload: Self.payload, qos: .atLeastOnce, packetID: index)
                try await publisher.send(.publish(publish))
                guard case .puback = try await publisher.next() else {
                    throw MQTTXError(.protocolViolation, "no PUBACK")
                }
            }
            #expect(broker.statistics.messagesDropped == 42)
        }
    }

    @Test("Two clients that publish to each other at full rate don't lock each other out")
    func bothWays() async throws {
        try await withBroker { broker in
            let count = 5000
            func run(_ name: String, to other: String) async throws {
                let client = try await RawClient.connect(broker, name, version: .v3_1_1)
                try await client.subscribe(name, .init(qos: .atLeastOnce))
                // Both are there before either starts.
                while broker.statistics.subscriptions < 2 { await Task.yield() }
                var sent = 0
                var acknowledged = 0
                var received = 0
                while received < count || acknowledged < count {
                    while sent < count, sent - acknowledged < 200 {
                        sent += 1
                        try await client.send(
                            .publish(
                                Publish(topic: other, payload: Self.payload, qos: .atLeastOnce, packetID: UInt16(sent)))
                        )
                    }
                    switch try await client.receive() {
                    case .publish(let publish):
                        received += 1
                        try await client.send(.puback(.init(packetID: publish.packetID)))
                    case .puback: acknowledged += 1
                    case let packet: throw RawClientError.unexpectedPacket(packet)
                    }
                }
            }
            async let left: Void = run("left", to: "right")
            async let right: Void = run("right", to: "left")
            _ = try await (left, right)
            #expect(broker.statistics.messagesDropped == 0)
        }
    }

    @Test("A held client is still answered when it pings")
    func heldPing() async throws {
        try await withBroker({ $0.stallTimeout = .seconds(30) }) { broker in
            let subscriber = try await RawClient.connect(broker) { $0.receiveMaximum = 1 }
            try await subscriber.subscribe("t", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker, version: .v3_1_1)
            for index in 1...1100 as ClosedRange<UInt16> {
                try await publisher.send(
                    .publish(Publish(topic: "t", payload: ByteBuffer(), qos: .atLeastOnce, packetID: index)))
            }
            let answers = try await publisher.drain()
            #expect(answers.count < 1100)
            #expect(broker.statistics.publishersHeld == 1)
        }
    }

    @Test("Acknowledgements of messages never sent, and repeated ones, are no progress: they hold nobody up")
    func pretendedProgress() async throws {
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker) { $0.receiveMaximum = 1 }
            try await subscriber.subscribe("t", .init(qos: .exactlyOnce))
            let publisher = try await RawClient.connect(broker, version: .v3_1_1)
            for index in 1...1100 as ClosedRange<UInt16> {
                try await publisher.send(
                    .publish(Publish(topic: "t", payload: ByteBuffer(), qos: .exactlyOnce, packetID: index)))
            }
            let first = try await subscriber.message()
            let deadline = ContinuousClock.now + .seconds(15)
            while broker.statistics.subscribersStalled == 0, ContinuousClock.now < deadline {
                for id in [UInt16(999), first.packetID] {
                    try await subscriber.send(.pubrec(.init(packetID: id)))
                    guard case .pubrel = try await subscriber.receive() else { throw RawClientError.unexpected }
                }
            }
            #expect(broker.statistics.subscribersStalled > 0)
        }
    }

    @Test("A subscriber that comes back without having acknowledged anything holds nobody, until it does")
    func flapping() async throws {
        try await withBroker({
            $0.stallTimeout = .seconds(60)
            $0.maximumQueuedMessages = 5
        }) { broker in
            let keep: (inout Properties) -> Void = {
                $0.sessionExpiryInterval = 100
                $0.receiveMaximum = 1
            }
            let publisher = try await RawClient.connect(broker)
            var subscriber = try await RawClient.connect(broker, "flapping", properties: keep)
            try await subscriber.subscribe("t", .init(qos: .atLeastOnce))
            // One goes out, five wait, and the last of them holds.
            for id in 1...6 as ClosedRange<UInt16> { try await publisher.publish("t", qos: .atLeastOnce, packetID: id) }
            #expect(broker.statistics.publishersHeld == 1)
            var unacknowledged = try await subscriber.message()
            for _ in 0..<3 {
                try await subscriber.cut()
                subscriber = try await RawClient.connect(broker, "flapping", cleanStart: false, properties: keep)
                unacknowledged = try await subscriber.message()
                for _ in 0..<3 { try await publisher.publish("t", qos: .atLeastOnce) }
                // Bytes that leave are no acknowledgement.
                try await publisher.publish("t", qos: .atMostOnce)
                _ = try await subscriber.message()
            }
            #expect(broker.statistics.publishersHeld == 1)
            try await subscriber.send(.puback(.init(packetID: unacknowledged.packetID)))
            _ = try await subscriber.message()
            for id in 1...3 as ClosedRange<UInt16> {
                try await publisher.send(
                    .publish(Publish(topic: "t", payload: .init(), qos: .atLeastOnce, packetID: id)))
            }
            #expect(try await publisher.drain().count < 3)
            #expect(broker.statistics.publishersHeld > 1)
        }
    }
}
