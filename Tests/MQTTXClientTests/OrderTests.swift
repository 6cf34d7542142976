import MQTTCore
import MQTTNetwork
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import MQTTXClient

/// Order, concurrency and acknowledgement of received messages.
@Suite("Order and acknowledgement", .timeLimit(.minutes(1)))
struct OrderTests {
    private func message(_ topic: String, qos: QoS = .atMostOnce, id: UInt16 = 0, dup: Bool = false) -> Packet {
        .publish(Publish(topic: topic, payload: ByteBuffer(string: "x"), qos: qos, dup: dup, packetID: id))
    }

    @Test("No more handlers run at once than numWorkers")
    func workers() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.numWorkers = 2 }
            let running = Mutex((now: 0, most: 0))
            let gate = Gate()
            let started = Log<Void>()
            let ended = Log<Void>()
            async let subscribing = client.subscribe("#") { _ in
                running.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                }
                started.add(())
                await gate.wait()
                running.withLock { $0.now -= 1 }
                ended.add(())
            }
            try await connection.grant()
            _ = try await subscribing
            for topic in ["a", "b", "c", "d", "e", "f"] { try await connection.send(message(topic)) }
            _ = await started.next(2)
            gate.open()
            _ = await ended.next(6)
            #expect(running.withLock { $0.most } == 2)
            await client.disconnect()
        }
    }

    @Test("Each of more topics than are remembered keeps its order, also those that are forgotten in between")
    func manyTopics() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let (topics, rounds) = (9_000, 3)
            let received = Mutex<[String: [String]]>([:])
            let handled = Log<Void>()
            async let subscribing = client.subscribe("#") { message in
                if message.topic.hasSuffix("7") { await Task.yield() }
                received.withLock { $0[message.topic, default: []].append(message.string ?? "") }
                handled.add(())
            }
            try await connection.grant()
            _ = try await subscribing
            for round in 0..<rounds {
                let payload = ByteBuffer(string: "\(round)")
                try await connection.send((0..<topics).map { .publish(Publish(topic: "\($0)", payload: payload)) })
            }
            _ = await handled.next(topics * rounds)
            let wanted = (0..<rounds).map { "\($0)" }
            received.withLock { received in
                #expect(received.count == topics)
                #expect(received.allSatisfy { $0.value == wanted })
            }
            await client.disconnect()
        }
    }

    @Test("With one worker messages are handled in the order received, whatever their topics")
    func oneWorker() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.numWorkers = 1 }
            let log = Log<String>()
            for filter in ["a", "+"] {
                async let subscribing = client.subscribe(filter) { log.add("\(filter) \($0.topic)") }
                try await connection.grant()
                _ = try await subscribing
            }
            let topics = ["b", "c", "b", "d", "c", "b", "d"]
            try await connection.send(
                message("b"), message("c"), message("b"), message("d"), message("c"), message("b"), message("d"))
            #expect(await log.next(topics.count) == topics.map { "+ \($0)" })
            await client.disconnect()
        }
    }

    @Test("Handlers of one message run one after another, in the order registered, whatever their filters")
    func oneAfterAnother() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let gate = Gate()
            let log = Log<String>()
            for (number, filter) in ["a/#", "a/b", "+/b"].enumerated() {
                async let subscribing = client.subscribe(filter) { _ in
                    log.add("\(number) begins")
                    if number == 0 { await gate.wait() }
                    log.add("\(number) ends")
                }
                try await connection.grant()
                _ = try await subscribing
            }
            try await connection.send(message("a/b"))
            #expect(await log.next(1) == ["0 begins"])
            gate.open()
            #expect(await log.next(5) == ["0 ends", "1 begins", "1 ends", "2 begins", "2 ends"])
            await client.disconnect()
        }
    }

    @Test("On MQTT 3.1.1 copies can't be told apart: each runs every handler that matches")
    func overlapping311() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = .v3_1_1 }
            let log = Log<String>()
            for filter in ["a/#", "a/+"] {
                async let subscribing = client.subscribe(filter) { _ in log.add(filter) }
                try await connection.grant()
                _ = try await subscribing
            }
            try await connection.send(message("a/b"), message("a/b"))
            #expect(await log.next(4) == ["a/#", "a/+", "a/#", "a/+"])
            await client.disconnect()
        }
    }

    @Test("PUBRECs have an order of their own: a slow QoS 1 handler does not hold them up (MQTT-4.6.0-3)")
    func lanesApart() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let gate = Gate()
            async let subscribing = client.subscribe("#", qos: .exactlyOnce) { message in
                if message.topic == "slow" { await gate.wait() }
            }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(
                message("slow", qos: .atLeastOnce, id: 1), message("a", qos: .exactlyOnce, id: 2),
                message("b", qos: .exactlyOnce, id: 3))
            #expect(try await connection.next() == .pubrec(Acknowledgement(packetID: 2)))
            #expect(try await connection.next() == .pubrec(Acknowledgement(packetID: 3)))
            gate.open()
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            await client.disconnect()
        }
    }

    @Test("With onReceipt a message is acknowledged before its handler returns")
    func onReceipt() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.acknowledgement = .onReceipt }
            let gate = Gate()
            async let subscribing = client.subscribe("#") { _ in await gate.wait() }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", qos: .atLeastOnce, id: 1))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            gate.open()
            await client.disconnect()
        }
    }

    @Test("With afterHandlerStrict nothing is acknowledged early, however long the broker holds back its answer")
    func strict() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.acknowledgement = .afterHandlerStrict
            }
            let gate = Gate()
            async let subscribing = client.subscribe("#") { _ in await gate.wait() }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", qos: .atLeastOnce, id: 1))
            let receipt = try await client.enqueue("own", "x", qos: .atLeastOnce)
            let own = try await connection.nextPublish()
            // That something does not happen shows only when the time has passed in which it would.
            try await Task.sleep(for: .milliseconds(600))
            #expect(await client.statistics.acknowledgedEarly == 0)
            gate.open()
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            try await connection.send(.puback(Acknowledgement(packetID: own.packetID)))
            _ = try await receipt.outcome.get()
            await client.disconnect()
        }
    }

    @Test(
        "A QoS 2 message runs its handler once, whenever the connection goes (4.3.3)",
        arguments: ["before PUBREC", "after PUBREC", "after PUBREL"])
    func exactlyOnce(when: String) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let gate = Gate()
            let log = Log<String>()
            async let subscribing = client.subscribe("#", qos: .exactlyOnce) {
                log.add($0.topic)
                await gate.wait()
            }
            try await first.grant()
            _ = try await subscribing
            try await first.send(message("a", qos: .exactlyOnce, id: 5))
            #expect(await log.next(1) == ["a"])
            if when != "before PUBREC" {
                gate.open()
                #expect(try await first.next() == .pubrec(Acknowledgement(packetID: 5)))
            }
            if when == "after PUBREL" { try await first.send(.pubrel(Acknowledgement(packetID: 5))) }
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            switch when {
            case "before PUBREC":
                try await second.send(message("a", qos: .exactlyOnce, id: 5, dup: true))
                gate.open()
                #expect(try await second.next() == .pubrec(Acknowledgement(packetID: 5)))
                try await second.send(.pubrel(Acknowledgement(packetID: 5)))
                #expect(try await second.next() == .pubcomp(Acknowledgement(packetID: 5)))
            default:
                // The PUBREL may have been seen or not; it is answered either way.
                try await second.send(.pubrel(Acknowledgement(packetID: 5)))
                guard case .pubcomp(let ack) = try await second.next() else { throw ScriptedConnection.Unexpected() }
                #expect(ack.packetID == 5)
            }
            try await second.send(message("end", qos: .exactlyOnce, id: 5))
            #expect(await log.next(1) == ["end"])
            await client.disconnect()
        }
    }

    @Test("Parked messages are bounded in number: the oldest is acknowledged and reported when there are more")
    func parkingBound() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.receiveMaximum = 20_000 }
            var notices = client.notices.makeAsyncIterator()
            var bytes = ByteBuffer()
            let encoder = PacketEncoder(version: .v5)
            for id in UInt16(1)...10_001 {
                try encoder.encode(message("nobody", qos: .atLeastOnce, id: id), into: &bytes)
            }
            try await connection.send(bytes)
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            while let notice = await notices.next() {
                guard case .messageDropped(let topic, let qos, _) = notice else { continue }
                #expect(topic == "nobody" && qos == .atLeastOnce)
                break
            }
            let statistics = await client.statistics
            #expect(statistics.messagesParked == 10_001 && statistics.messagesDropped == 1)
            await client.disconnect()
        }
    }

    @Test("A parked message is given up after 30 seconds, acknowledged and reported")
    func parkingTime() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let notices = Broadcast<Notice>(capacity: 10)
        var told = notices.stream().makeAsyncIterator()
        let dropped = try await eventLoop.submit {
            let dispatch = DispatchQueue(
                bounds: QueueBounds(MQTTConfig()), logger: MQTTConfig().logger, notify: { _ in }, completed: { _ in },
                turnDone: { _ in })
            let inbound = Inbound(
                registry: SubscriptionRegistry(), dispatch: dispatch, config: MQTTConfig(),
                notify: { notices.yield($0) },
                makeAcknowledger: { Acknowledger(ticket: $0, queue: AcknowledgementQueue(eventLoop: eventLoop)) })
            let decoder = PacketDecoder(role: .client, version: .v5, maximumPacketSize: 1_000, maximumPayloadSize: nil)
            let connection = PacketConnection(decoder: decoder, receiver: NobodyReceives())
            let start = ContinuousClock.now
            _ = inbound.receive(
                Publish(topic: "a", payload: ByteBuffer(), qos: .atLeastOnce, packetID: 1), from: connection)
            inbound.giveUpParked(now: start + .seconds(29))
            let early = inbound.statistics.messagesDropped + (inbound.incoming.nextReady() == nil ? 0 : 1)
            let deadline = inbound.parkingDeadline.map { start.duration(to: $0) } ?? .zero
            inbound.giveUpParked(now: start + .seconds(31))
            return (early, deadline, inbound.statistics.messagesDropped, inbound.incoming.nextReady()?.packetID)
        }.get()
        #expect(dropped.0 == 0 && dropped.1 >= .seconds(30) && dropped.1 < .seconds(31))
        #expect(dropped.2 == 1 && dropped.3 == 1)
        guard case .messageParked = await told.next(), case .messageDropped = await told.next() else {
            throw ScriptedConnection.Unexpected()
        }
    }
}

private final class NobodyReceives: PacketReceiver {
    func connectionOpened(_ connection: PacketConnection) {}
    func received(_ packet: DecodedPacket, from connection: PacketConnection) {}
    func readCompleted(_ connection: PacketConnection) {}
    func violated(_ error: MQTTXError, on connection: PacketConnection) {}
    func writabilityChanged(_ isWritable: Bool, on connection: PacketConnection) {}
    func connectionClosed(_ error: (any Error)?, connection: PacketConnection) {}
}
