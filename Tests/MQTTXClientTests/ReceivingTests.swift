import MQTTCore
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import MQTTXClient

@Suite("Receiving", .timeLimit(.minutes(1)))
struct ReceivingTests {
    private func message(_ topic: String, _ text: String = "x", qos: QoS = .atLeastOnce, id: UInt16 = 0) -> Packet {
        .publish(Publish(topic: topic, payload: ByteBuffer(string: text), qos: qos, packetID: id))
    }

    @Test("Acknowledgements go out in the order received, however handlers end [MQTT-4.6.0-2]")
    func acknowledgementOrder() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let gate = Gate()
            let started = Log<String>()
            async let subscribing = client.subscribe("#") { message in
                started.add(message.topic)
                if message.topic == "slow" { await gate.wait() }
            }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("slow", id: 1), message("quick", id: 2), message("other", id: 3))
            #expect(Set(await started.next(3)) == ["slow", "quick", "other"])
            gate.open()
            for id in UInt16(1)...3 {
                #expect(try await connection.next() == .puback(Acknowledgement(packetID: id)))
            }
            await client.disconnect()
        }
    }

    @Test("A message counts with all the memory that it lies in, and a copy lets go of it")
    func memory() {
        var read = ByteBuffer(repeating: 7, count: 10_000)
        func unshared() -> MQTTMessage {
            let properties = Properties.with { $0.correlationData = read.getSlice(at: 9_000, length: 3) }
            let publish = Publish(topic: "a", payload: ByteBuffer(), qos: .atLeastOnce, properties: properties)
            let message = MQTTMessage(publish)
            #expect(message.capacity == read.storageCapacity)
            return message.unshared()
        }
        let copy = unshared()
        #expect(copy.capacity < 1000)
        #expect(copy.topic == "a" && copy.properties.correlationData == ByteBuffer(bytes: [7, 7, 7]))
        #expect(read.modifyIfUniquelyOwned { $0.clear() } != nil)
    }

    @Test("Handlers that were quick and become slow hold back only few of the acknowledgements that were earned before")
    func acknowledgementsOfTheSlow() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let gate = Gate()
            async let subscribing = client.subscribe("#") { message in
                guard message.string == "slow" else { return }
                let start = ContinuousClock.now
                while start.duration(to: .now) < .microseconds(300) {}
                if (message.packetID ?? 0) > 116 { await gate.wait() }
            }
            try await connection.grant()
            _ = try await subscribing
            for id in UInt16(1)...20 {
                try await connection.send(message("a", "quick", id: id))
                #expect(try await connection.next() == .puback(Acknowledgement(packetID: id)))
            }
            try await connection.send((101...124).map { message("a", "slow", id: $0) })
            for id in UInt16(101)...108 {
                #expect(try await connection.next() == .puback(Acknowledgement(packetID: id)))
            }
            gate.open()
            for id in UInt16(109)...124 {
                #expect(try await connection.next() == .puback(Acknowledgement(packetID: id)))
            }
            await client.disconnect()
        }
    }

    @Test("Messages of one topic are handled one at a time in order; other topics go on")
    func topicOrder() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let gate = Gate()
            let log = Log<String>()
            async let subscribing = client.subscribe("#") { message in
                if message.string == "a1" { await gate.wait() }
                log.add(message.string ?? "")
            }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(
                message("a", "a1", qos: .atMostOnce), message("a", "a2", qos: .atMostOnce),
                message("b", "b1", qos: .atMostOnce), message("b", "b2", qos: .atMostOnce))
            #expect(await log.next(2) == ["b1", "b2"])
            gate.open()
            #expect(await log.next(2) == ["a1", "a2"])
            await client.disconnect()
        }
    }

    @Test("A QoS 2 message that comes twice is handled once, and a late PUBREL is answered (4.3.3)")
    func exactlyOnce() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<String>()
            async let subscribing = client.subscribe("#", qos: .exactlyOnce) { log.add($0.string ?? "") }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", "1", qos: .exactlyOnce, id: 7))
            #expect(try await connection.next() == .pubrec(Acknowledgement(packetID: 7)))
            try await connection.send(message("a", "1", qos: .exactlyOnce, id: 7))
            #expect(try await connection.next() == .pubrec(Acknowledgement(packetID: 7)))
            try await connection.send(.pubrel(Acknowledgement(packetID: 7)))
            #expect(try await connection.next() == .pubcomp(Acknowledgement(packetID: 7)))
            try await connection.send(.pubrel(Acknowledgement(packetID: 7)))
            #expect(
                try await connection.next()
                    == .pubcomp(Acknowledgement(packetID: 7, reasonCode: .packetIdentifierNotFound)))
            try await connection.send(message("a", "2", qos: .exactlyOnce, id: 7))
            #expect(await log.next(2) == ["1", "2"])
            await client.disconnect()
        }
    }

    @Test("While an operation of ours waits and the broker is silent, the oldest are acknowledged early")
    func earlyAcknowledgement() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let gate = Gate()
            async let subscribing = client.subscribe("#") { _ in await gate.wait() }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", id: 1), message("b", id: 2))
            let receipt = try await client.enqueue("own", "x", qos: .atLeastOnce)
            let own = try await connection.nextPublish()
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 2)))
            try await connection.send(.puback(Acknowledgement(packetID: own.packetID)))
            _ = try await receipt.outcome.get()
            #expect(await client.statistics.acknowledgedEarly == 2)
            gate.open()
            await client.disconnect()
        }
    }

    @Test("A handler that throws has its message acknowledged, and is counted [MQTT-4.5.0-2]")
    func throwingHandler() async throws {
        struct Mistake: Error {}
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            async let subscribing = client.subscribe("#") { (_: MQTTMessage) in throw Mistake() }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", id: 1))
            #expect(
                try await connection.next()
                    == .puback(Acknowledgement(packetID: 1, reasonCode: .unspecifiedError)))
            #expect(await client.statistics.handlerFailures == 1)
            await client.disconnect()
        }
    }

    @Test("A message that comes before its handler waits for it")
    func parking() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            var notices = client.notices.makeAsyncIterator()
            try await connection.send(message("a", "early", id: 1))
            guard case .messageParked(let topic) = await notices.next() else { throw ScriptedConnection.Unexpected() }
            #expect(topic == "a")
            let log = Log<String>()
            async let subscribing = client.subscribe("a") { log.add($0.string ?? "") }
            #expect(await log.next(1) == ["early"])
            guard case .subscribe(let subscribe) = try await connection.next() else {
                throw ScriptedConnection.Unexpected()
            }
            try await connection.send(.suback(SubAck(packetID: subscribe.packetID, reasonCodes: [.grantedQoS1])))
            _ = try await subscribing
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            await client.disconnect()
        }
    }

    @Test("Where filters overlap, subscription identifiers make each handler run once (MQTT 5.0)")
    func overlapping() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<String>()
            async let first = client.subscribe("a/#") { _ in log.add("a/#") }
            let one = try await connection.grant()
            _ = try await first
            async let second = client.subscribe("a/+") { _ in log.add("a/+") }
            let two = try await connection.grant()
            _ = try await second
            #expect(one.properties.subscriptionIdentifiers != two.properties.subscriptionIdentifiers)
            for subscribe in [one, two] {
                var publish = Publish(topic: "a/b", payload: ByteBuffer(string: "x"))
                publish.properties.subscriptionIdentifiers = subscribe.properties.subscriptionIdentifiers
                try await connection.send(.publish(publish))
            }
            #expect(await log.next(2) == ["a/#", "a/+"])
            try await connection.send(message("a/b", qos: .atMostOnce))
            #expect(await log.next(2) == ["a/#", "a/+"])
            await client.disconnect()
        }
    }

    @Test(
        "A payload over the limit is skipped, acknowledged, counted and told of [MQTT-4.5.0-2, MQTT311-4.5.0-2]",
        arguments: [ProtocolVersion.v3_1_1, .v5])
    func oversized(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.version = version
                $0.maxPayloadSize = 1_000
            }
            var notices = client.notices.makeAsyncIterator()
            let log = Log<Int>()
            async let subscribing = client.subscribe("#") { log.add($0.payload.readableBytes) }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(
                message("big", String(repeating: "x", count: 20_000), id: 1), message("small", "x", id: 2))
            #expect(await log.next(1) == [1])
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 2)))
            guard case .payloadSkipped("big", 20_000) = await notices.next() else {
                throw ScriptedConnection.Unexpected()
            }
            #expect(await client.statistics.payloadsSkipped == 1)
            await client.disconnect()
        }
    }

    @Test("Topic aliases of the broker are resolved (3.3.2.3.4)")
    func aliases() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<String>()
            async let subscribing = client.subscribe("#") { log.add($0.topic) }
            try await connection.grant()
            _ = try await subscribing
            var publish = Publish(topic: "long/topic", payload: ByteBuffer(string: "x"))
            publish.properties.topicAlias = 3
            try await connection.send(.publish(publish))
            publish.topic = ""
            try await connection.send(.publish(publish))
            #expect(await log.next(2) == ["long/topic", "long/topic"])
            publish.properties.topicAlias = 99
            try await connection.send(.publish(publish))
            #expect(try await connection.next() == .disconnect(Disconnect(reasonCode: .topicAliasInvalid)))
            await client.disconnect()
        }
    }

    @Test("A handler may publish and subscribe on the same client")
    func handlerCallsOut() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.numWorkers = 1
                // On a slow machine an early acknowledgement would come between the packets looked for.
                $0.acknowledgement = .afterHandlerStrict
            }
            let done = Log<String>()
            async let subscribing = client.subscribe("a") { _ in
                try await client.publish("b", "x", qos: .atLeastOnce)
                try await client.subscribe("c") { _ in }
                done.add("done")
            }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", id: 1))
            let publish = try await connection.nextPublish()
            try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
            try await connection.grant()
            #expect(await done.next(1) == ["done"])
            await client.disconnect()
        }
    }

    @Test("Acknowledging by hand is in the program's hands")
    func manual() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.acknowledgement = .manual }
            let log = Log<MQTTMessage>()
            async let subscribing = client.subscribe("#") { log.add($0) }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", id: 1), message("a", id: 2))
            let messages = await log.next(2)
            messages[1].acknowledge()
            messages[0].acknowledge(.quotaExceeded)
            messages[0].acknowledge()
            #expect(
                try await connection.next() == .puback(Acknowledgement(packetID: 1, reasonCode: .quotaExceeded)))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 2)))
            await client.disconnect()
        }
    }

    @Test("A broker that exceeds our Receive Maximum is told so (0x93)")
    func quota() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.receiveMaximum = 1
                $0.acknowledgement = .manual
            }
            async let subscribing = client.subscribe("#") { _ in }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", id: 1), message("a", id: 2))
            #expect(try await connection.next() == .disconnect(Disconnect(reasonCode: .receiveMaximumExceeded)))
            await client.disconnect()
        }
    }

    @Test("On MQTT 3.1.1, which can't announce a Receive Maximum, no message is one too many")
    func noQuota() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.version = .v3_1_1
                $0.receiveMaximum = 1
                $0.acknowledgement = .manual
            }
            let messages = Log<MQTTMessage>()
            async let subscribing = client.subscribe("#") { messages.add($0) }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", id: 1), message("b", id: 2), message("c", id: 3))
            for message in await messages.next(3) { message.acknowledge() }
            for id in 1...3 as ClosedRange<UInt16> {
                #expect(try await connection.next() == .puback(Acknowledgement(packetID: id)))
            }
            await client.disconnect()
        }
    }

    @Test("A stream hands over messages one by one and ends its subscription with the iteration")
    func stream() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let reading = Task {
                var texts: [String] = []
                for try await message in client.messages("a") {
                    texts.append(message.string ?? "")
                    if texts.count == 3 { break }
                }
                return texts
            }
            try await connection.grant()
            try await connection.send(message("a", "1", id: 1), message("a", "2", id: 2), message("a", "3", id: 3))
            #expect(try await reading.value == ["1", "2", "3"])
            var unsubscribed = false
            while !unsubscribed {
                if case .unsubscribe(let packet) = try await connection.next() {
                    #expect(packet.filters == ["a"])
                    unsubscribed = true
                }
            }
            await client.disconnect()
        }
    }

    @Test("A blocking handler holds up nobody else")
    func blocking() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.numWorkers = 2 }
            let log = Log<String>()
            async let subscribing = client.subscribe("#", blocking: true) { (message: MQTTMessage) throws -> Void in
                log.add(message.topic)
            }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(message("a", id: 1))
            #expect(await log.next(1) == ["a"])
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            await client.disconnect()
        }
    }
}
