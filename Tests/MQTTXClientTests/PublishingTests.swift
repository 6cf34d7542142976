import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

@Suite("Publishing", .timeLimit(.minutes(1)))
struct PublishingTests {
    @Test("QoS 1 completes at PUBACK, QoS 2 at PUBCOMP (4.3.2, 4.3.3) [MQTT-4.3.3-4]")
    func completes() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            async let one = client.publish("a", "1", qos: .atLeastOnce)
            let first = try await connection.nextPublish()
            #expect(first.qos == .atLeastOnce && !first.dup && first.packetID != 0)
            try await connection.send(
                .puback(Acknowledgement(packetID: first.packetID, reasonCode: .noMatchingSubscribers)))
            #expect(try await one == .noMatchingSubscribers)

            let two = try await client.enqueue("a", "2", qos: .exactlyOnce)
            let second = try await connection.nextPublish()
            try await connection.send(.pubrec(Acknowledgement(packetID: second.packetID)))
            #expect(try await connection.next() == .pubrel(Acknowledgement(packetID: second.packetID)))
            #expect(two.outcomeIfKnown == nil)
            try await connection.send(.pubcomp(Acknowledgement(packetID: second.packetID)))
            #expect(try await two.outcome.get() == .success)
            await client.disconnect()
        }
    }

    @Test(
        "A refused message fails with the code that its reason stands for",
        arguments: [
            (ReasonCode.notAuthorized, ErrorCode.permissionDenied), (.quotaExceeded, .publishFailed),
            (.topicNameInvalid, .invalidTopic),
        ], [QoS.atLeastOnce, .exactlyOnce])
    func refused(pair: (ReasonCode, ErrorCode), qos: QoS) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let receipt = try await client.enqueue("a", "1", qos: qos)
            let id = try await connection.nextPublish().packetID
            let ack = Acknowledgement(packetID: id, reasonCode: pair.0)
            try await connection.send(qos == .atLeastOnce ? .puback(ack) : .pubrec(ack))
            guard case .failed(let error) = try await receipt.outcome else { throw ScriptedConnection.Unexpected() }
            #expect(error.code == pair.1)
            #expect(error.reasonCode == pair.0)
            await client.disconnect()
        }
    }

    @Test("A message of QoS 2 that a broker acknowledges as one of QoS 1 fails, and its place is free again")
    func takenAtLeastOnce() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.receiveMaximum = 1 })
            let receipt = try await client.enqueue("a", "1", qos: .exactlyOnce)
            let id = try await connection.nextPublish().packetID
            try await connection.send(.puback(Acknowledgement(packetID: id)))
            guard case .failed(let error) = try await receipt.outcome else { throw ScriptedConnection.Unexpected() }
            #expect(error.code == .publishFailed)
            async let next = client.publish("a", "2", qos: .atLeastOnce)
            let second = try await connection.nextPublish()
            try await connection.send(.puback(Acknowledgement(packetID: second.packetID)))
            #expect(try await next == .success)
            await client.disconnect()
        }
    }

    @Test("No more than the Receive Maximum is in flight, and order is kept (4.9) [MQTT-3.3.4-7, MQTT-4.9.0-1, -2]")
    func receiveMaximum() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.receiveMaximum = 2 })
            for number in 1...5 { try await client.enqueue("a", "\(number)", qos: .atLeastOnce) }
            var open: [UInt16] = []
            for number in 1...5 {
                let publish = try await connection.nextPublish()
                #expect(String(buffer: publish.payload) == "\(number)")
                open.append(publish.packetID)
                guard open.count == 2 else { continue }
                // Two are out, and what comes next is no third; one more leaves for each that ends.
                let asking = Task { try await client.subscribe("b/\(number)") { _ in } }
                try await connection.grant()
                _ = try await asking.value
                try await connection.send(.puback(Acknowledgement(packetID: open.removeFirst())))
            }
            let statistics = await client.statistics
            #expect(statistics.messagesSent == 5)
            await client.disconnect()
        }
    }

    @Test(
        """
        With the session kept, what was in flight is sent again, in order, marked DUP [MQTT-3.1.2-23, \
        MQTT-3.3.1-1, MQTT-4.3.2-3, MQTT-4.3.3-3, -5, MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT311-3.1.2-4, \
        MQTT311-3.3.1-1, MQTT311-4.1.0-1, MQTT311-4.4.0-1]
        """,
        arguments: ProtocolVersion.allCases)
    func resends(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections) { $0.version = version }
            let one = try await client.enqueue("a", "1", qos: .atLeastOnce)
            let two = try await client.enqueue("a", "2", qos: .exactlyOnce)
            let three = try await client.enqueue("a", "3", qos: .exactlyOnce)
            let ids = [try await first.nextPublish(), try await first.nextPublish(), try await first.nextPublish()].map(
                \.packetID)
            try await first.send(.pubrec(Acknowledgement(packetID: ids[1])))
            #expect(try await first.next() == .pubrel(Acknowledgement(packetID: ids[1])))
            await first.close()

            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            let again = try await second.nextPublish()
            #expect(again.dup && again.packetID == ids[0])
            #expect(try await second.next() == .pubrel(Acknowledgement(packetID: ids[1])))
            let last = try await second.nextPublish()
            #expect(last.dup && last.packetID == ids[2])
            try await second.send(
                .puback(Acknowledgement(packetID: ids[0])), .pubcomp(Acknowledgement(packetID: ids[1])),
                .pubrec(Acknowledgement(packetID: ids[2])))
            #expect(try await second.next() == .pubrel(Acknowledgement(packetID: ids[2])))
            try await second.send(.pubcomp(Acknowledgement(packetID: ids[2])))
            for receipt in [one, two, three] { #expect(try await receipt.outcome.get() == .success) }
            await client.disconnect()
        }
    }

    @Test(
        "With the session lost, QoS 1 goes out as new and QoS 2 ends as unknown, or as configured [MQTT-3.2.2-5]",
        arguments: [LostSessionPolicy.outcomeUnknown, .sendAgain])
    func lostSession(policy: LostSessionPolicy) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections) { $0.lostSessionQoS2 = policy }
            let one = try await client.enqueue("a", "1", qos: .atLeastOnce)
            let two = try await client.enqueue("a", "2", qos: .exactlyOnce)
            _ = try await (first.nextPublish(), first.nextPublish())
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: false)
            let again = try await second.nextPublish()
            #expect(!again.dup && String(buffer: again.payload) == "1")
            try await second.send(.puback(Acknowledgement(packetID: again.packetID)))
            #expect(try await one.outcome.get() == .success)
            switch policy {
            case .outcomeUnknown:
                await expectError(.publishFailed) { _ = try await two.outcome.get() }
            case .sendAgain:
                let publish = try await second.nextPublish()
                #expect(!publish.dup && String(buffer: publish.payload) == "2")
            }
            await client.disconnect()
        }
    }

    @Test("Messages published while the connection is away go out with the next one")
    func offlineQueue() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            await first.close()
            for await state in client.states where !state.isConnected { break }
            let receipts = [
                try await client.enqueue("a", "0"), try await client.enqueue("a", "1", qos: .atLeastOnce),
            ]
            let second = try #require(await connections.next())
            try await second.accept()
            #expect(String(buffer: try await second.nextPublish().payload) == "0")
            let publish = try await second.nextPublish()
            #expect(String(buffer: publish.payload) == "1")
            try await second.send(.puback(Acknowledgement(packetID: publish.packetID)))
            for receipt in receipts { _ = try await receipt.outcome.get() }
            await client.disconnect()
        }
    }

    @Test("A full queue follows its policy", arguments: [QueuePolicy.fail, .dropOldest, .dropNewest])
    func fullQueue(policy: QueuePolicy) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, _) = try await broker.connect(connections, properties: .with { $0.receiveMaximum = 1 }) {
                $0.maxQueuedMessages = 1
                $0.queuePolicy = policy
            }
            _ = try await client.enqueue("a", "in flight", qos: .atLeastOnce)
            let queued = try await client.enqueue("a", "queued", qos: .atLeastOnce)
            switch policy {
            case .dropOldest:
                _ = try await client.enqueue("a", "next", qos: .atLeastOnce)
                await expectError(.queueFull) { _ = try await queued.outcome.get() }
            default:
                await expectError(.queueFull) { try await client.enqueue("a", "next", qos: .atLeastOnce) }
                #expect(queued.outcomeIfKnown == nil)
            }
            await client.disconnect()
        }
    }

    @Test("A full queue makes a publisher wait until there is room, by default")
    func waitsForRoom() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.receiveMaximum = 1 }
            ) { $0.maxQueuedMessages = 1 }
            try await client.enqueue("a", "1", qos: .atLeastOnce)
            try await client.enqueue("a", "2", qos: .atLeastOnce)
            let third = Task { try await client.enqueue("a", "3", qos: .atLeastOnce) }
            let fourth = Task { try await client.enqueue("a", "4", qos: .atLeastOnce) }
            fourth.cancel()
            await #expect(throws: CancellationError.self) { _ = try await fourth.value }
            for number in 1...3 {
                let publish = try await connection.nextPublish()
                #expect(String(buffer: publish.payload) == "\(number)")
                try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
            }
            _ = try await third.value.outcome.get()
            await client.disconnect()
        }
    }

    @Test("What can't be sent is refused before anything is sent [MQTT-3.2.2-11, -14, -15]")
    func refusedLocally() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, _) = try await broker.connect(
                connections,
                properties: .with {
                    $0.maximumQoS = 1
                    $0.retainAvailable = 0
                    $0.maximumPacketSize = 100
                }
            ) { $0.maxPayloadSize = 1_000 }
            await expectError(.payloadTooLarge) {
                try await client.publish("a", [UInt8](repeating: 0, count: 1_001))
            }
            await expectError(.packetTooLarge) {
                try await client.publish("a", [UInt8](repeating: 0, count: 100), qos: .atLeastOnce)
            }
            for topic in ["a/+", "#", "", "a\u{0}b"] {
                await #expect(throws: MQTTXError.self) { try await client.publish(topic, "x") }
            }
            let qos = await #expect(throws: MQTTXError.self) { try await client.publish("a", "x", qos: .exactlyOnce) }
            #expect(qos?.reasonCode == .qosNotSupported)
            let retain = await #expect(throws: MQTTXError.self) { try await client.publish("a", "x", retain: true) }
            #expect(retain?.reasonCode == .retainNotSupported)
            await client.disconnect()
            await expectError(.notConnected) { try await client.publish("a", "x") }
        }
    }

    @Test("Topics get aliases when the broker takes them (3.3.2.3.4) [MQTT-3.2.2-17, MQTT-3.3.2-9]")
    func aliases() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.topicAliasMaximum = 1 })
            for topic in ["a", "a", "b", "a"] { try await client.publish(topic, "x") }
            var seen: [String] = []
            for _ in 0..<4 {
                let publish = try await connection.nextPublish()
                seen.append("\(publish.topic):\(publish.properties.topicAlias ?? 0)")
            }
            #expect(seen == ["a:1", ":1", "b:0", ":1"])
            await client.disconnect()
        }
    }

    @Test("Disconnecting with a drain waits for acknowledgements")
    func drains() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let receipt = try await client.enqueue("a", "1", qos: .atLeastOnce)
            async let disconnecting: Void = client.disconnect(drain: .seconds(30))
            let id = try await connection.nextPublish().packetID
            try await connection.send(.puback(Acknowledgement(packetID: id)))
            #expect(try await connection.next() == .disconnect(Disconnect()))
            await disconnecting
            #expect(try await receipt.outcome.get() == .success)
        }
    }

    @Test("A message that was in flight when the session was lost waits as one that takes long")
    func waitsAgain() throws {
        var state = OutboxState.online()
        let message = PublishReceipt(Publish(topic: "t", payload: ByteBuffer(), qos: .atLeastOnce), isWatched: true)
        let isSent = try state.trySend(message)
        var completions = OutboxState.Completions()
        state.disconnected(&completions)
        let server = ServerCapabilities(connack: ConnAck(), connect: Connect(version: .v5, clientID: "x"))
        state.connected(server, maximumAliases: 0, &completions)
        let takeLong = completions.others.compactMap { other in
            if case .takesLong(let message) = other { message } else { nil }
        }
        #expect(isSent && takeLong.count == 1 && takeLong.first === message)
    }

    @Test("A drain is over when the socket has taken what was published at QoS 0")
    func drainsAtMostOnce() throws {
        var state = OutboxState.online()
        var isDrained = [state.isDrained]
        #expect(try state.tryWrite("t", ByteBuffer(string: "x"), retain: false, Properties()))
        isDrained.append(state.isDrained)
        let write = state.output.take()
        isDrained.append(state.isDrained)
        state.output.written(write)
        isDrained.append(state.isDrained)
        #expect(isDrained == [true, false, false, true])
    }

    @Test("What was published is counted when it is delivered, whether it went out at once or waited")
    func deliveredIsCounted() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            try await client.publish("a", "at once")
            #expect(String(buffer: try await first.nextPublish().payload) == "at once")
            #expect(await client.statistics.messagesDelivered == 1)
            await first.close()
            for await state in client.states where !state.isConnected { break }
            let receipts = [
                try await client.enqueue("a", "0"), try await client.enqueue("a", "1", qos: .atLeastOnce),
                try await client.enqueue("a", "2", qos: .exactlyOnce),
            ]
            #expect(await client.statistics.queuedOutbound == 3)
            let second = try #require(await connections.next())
            try await second.accept()
            _ = try await second.nextPublish()
            let one = Acknowledgement(packetID: try await second.nextPublish().packetID)
            let two = Acknowledgement(packetID: try await second.nextPublish().packetID)
            try await second.send(.puback(one), .pubrec(two))
            #expect(try await second.next() == .pubrel(two))
            try await second.send(.pubcomp(two))
            for receipt in receipts { _ = try await receipt.outcome.get() }
            let statistics = await client.statistics
            #expect(statistics.messagesDelivered == 4 && statistics.messagesSent == 4)
            #expect(statistics.queuedOutbound == 0 && statistics.inFlight == 0 && statistics.publishFailures == 0)
            await client.disconnect()
        }
    }

    @Test(
        "Every message is told how it ended when the client ends, in whatever state it was",
        arguments: ["disconnect", "drained", "gone for good"])
    func endOfAll(how: String) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.receiveMaximum = 3 }
            ) {
                $0.reconnect.enabled = false
                $0.maxQueuedMessages = 2
            }
            var receipts: [PublishReceipt] = []
            for (number, qos) in [QoS.atLeastOnce, .exactlyOnce, .exactlyOnce].enumerated() {
                receipts.append(try await client.enqueue("a", "\(number)", qos: qos))
                _ = try await connection.nextPublish()
            }
            // One is released already.
            try await connection.send(.pubrec(Acknowledgement(packetID: 3)))
            #expect(try await connection.next() == .pubrel(Acknowledgement(packetID: 3)))
            receipts.append(try await client.enqueue("a", "queued", qos: .atLeastOnce))
            receipts.append(try await client.enqueue("a", "queued"))
            let waiting = Task { try await client.enqueue("a", "waits for room", qos: .atLeastOnce) }
            switch how {
            case "disconnect": await client.disconnect()
            case "drained": await client.disconnect(drain: .milliseconds(50))
            default: await connection.close()
            }
            for receipt in receipts {
                guard case .failed = try await receipt.outcome else {
                    Issue.record("delivered, though the broker said nothing")
                    continue
                }
            }
            await #expect(throws: MQTTXError.self) { try await waiting.value.outcome.get() }
            let statistics = await client.statistics
            #expect(statistics.queuedOutbound == 0 && statistics.inFlight == 0)
            #expect(statistics.publishFailures >= 5)
        }
    }

    @Test(
        "A QoS 2 message survives the connection in every state; without its session it ends as unknown",
        arguments: [true, false], [true, false])
    func exactlyOnce(isReleased: Bool, sessionPresent: Bool) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let receipt = try await client.enqueue("a", "x", qos: .exactlyOnce)
            let ack = Acknowledgement(packetID: try await first.nextPublish().packetID)
            if isReleased {
                try await first.send(.pubrec(ack))
                #expect(try await first.next() == .pubrel(ack))
            }
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: sessionPresent)
            if sessionPresent {
                if !isReleased {
                    #expect(try await second.nextPublish().dup)
                    try await second.send(.pubrec(ack))
                }
                #expect(try await second.next() == .pubrel(ack))
                try await second.send(.pubcomp(ack))
                #expect(try await receipt.outcome.get() == .success)
            } else {
                let error = await expectError(.publishFailed) { try await receipt.outcome.get() }
                #expect(error?.message.contains("unknown") == true)
            }
            await client.disconnect()
        }
    }

    @Test("While the connection is away messages are refused where that was chosen")
    func refusedWhileDisconnected() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections) { $0.whileDisconnected = .refuse }
            await first.close()
            for await state in client.states where !state.isConnected { break }
            _ = try #require(await connections.next())
            await expectError(.notConnected) { try await client.publish("a", "x") }
            await expectError(.notConnected) { try await client.enqueue("a", "x", qos: .atLeastOnce) }
            await client.disconnect()
        }
    }

    @Test("A SUBSCRIBE finds its way past messages that wait for the Receive Maximum")
    func subscribeDoesNotStarve() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.receiveMaximum = 1 })
            for number in 0..<100 { try await client.enqueue("a", "\(number)", qos: .atLeastOnce) }
            _ = try await connection.nextPublish()
            async let subscribing = client.subscribe("b") { _ in }
            try await connection.grant()
            #expect(try await subscribing.grantedQoS == .atLeastOnce)
            await client.disconnect()
        }
    }

    @Test("A queue bounded in bytes follows its policy as one bounded in number does")
    func boundedBytes() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, _) = try await broker.connect(connections, properties: .with { $0.receiveMaximum = 1 }) {
                $0.maxQueuedBytes = 10_000
                $0.queuePolicy = .fail
            }
            let payload = [UInt8](repeating: 0, count: 1_000)
            try await client.enqueue("a", payload, qos: .atLeastOnce)
            var taken = 0
            while (try? await client.enqueue("a", payload, qos: .atLeastOnce)) != nil, taken < 100 { taken += 1 }
            #expect(taken == 9)
            await client.disconnect()
        }
    }
}
