import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

@Suite("What the client sends, by clause (sections 2.2.1, 3.3, 3.14, 4.3, 4.9)", .timeLimit(.minutes(1)))
struct SendingClauseTests {
    @Test(
        """
        QoS 0 goes out without identifier and DUP, and is not answered [MQTT-2.2.1-2, MQTT-4.3.1-1, \
        MQTT311-2.3.1-5, MQTT311-4.3.1-1]
        """, arguments: ProtocolVersion.allCases)
    func atMostOnce(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = version }
            try await client.publish("a", "x")
            let publish = try await connection.nextPublish()
            #expect(publish == Publish(topic: "a", payload: ByteBuffer(string: "x")))
            await client.disconnect()
        }
    }

    @Test(
        """
        Messages and requests have identifiers of their own that are not 0 [MQTT-2.2.1-3, MQTT-4.3.2-1, -2, \
        MQTT-4.3.3-1, -2, MQTT311-2.3.1-1, -2, MQTT311-4.3.2-1, MQTT311-4.3.3-1]
        """, arguments: ProtocolVersion.allCases)
    func identifiers(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = version }
            var used: Set<UInt16> = [0]
            for number in 0..<10 {
                let qos: QoS = number % 2 == 0 ? .atLeastOnce : .exactlyOnce
                try await client.enqueue("a", "\(number)", qos: qos)
                let publish = try await connection.nextPublish()
                #expect(publish.qos == qos && !publish.dup)
                #expect(used.insert(publish.packetID).inserted)
                let subscribing = Task { try await client.subscribe("b/\(number)") { _ in } }
                #expect(used.insert(try await connection.grant().packetID).inserted)
                let subscription = try await subscribing.value
                let cancelling = Task { _ = try await subscription.cancel() }
                guard case .unsubscribe(let unsubscribe) = try await connection.next() else {
                    throw ScriptedConnection.Unexpected()
                }
                // The SUBSCRIBE was answered; its identifier may come again, those of the messages may not.
                #expect(unsubscribe.packetID != 0)
                let answer = UnsubAck(packetID: unsubscribe.packetID, reasonCodes: version == .v5 ? [.success] : [])
                try await connection.send(.unsuback(answer))
                try await cancelling.value
            }
            await client.disconnect()
        }
    }

    @Test("A window that is full holds back PUBLISH alone [MQTT-3.3.4-8, MQTT-4.9.0-3]")
    func fullWindow() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.receiveMaximum = 1 })
            try await client.enqueue("a", "1", qos: .exactlyOnce)
            try await client.enqueue("a", "2", qos: .exactlyOnce)
            let first = try await connection.nextPublish()
            let log = Log<String>()
            let subscribing = Task { try await client.subscribe("b") { log.add($0.topic) } }
            try await connection.grant()
            _ = try await subscribing.value
            try await connection.send(
                .publish(Publish(topic: "b", payload: ByteBuffer(), qos: .atLeastOnce, packetID: 9)))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 9)))
            try await connection.send(.pubrec(Acknowledgement(packetID: first.packetID)))
            #expect(try await connection.next() == .pubrel(Acknowledgement(packetID: first.packetID)))
            try await connection.send(.pubcomp(Acknowledgement(packetID: first.packetID)))
            #expect(String(buffer: try await connection.nextPublish().payload) == "2")
            await client.disconnect()
        }
    }

    @Test(
        "PUBRELs leave in the order of the PUBRECs [MQTT-4.6.0-4, MQTT311-4.6.0-4]", arguments: ProtocolVersion.allCases
    )
    func releaseOrder(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = version }
            var ids: [UInt16] = []
            for number in 0..<3 {
                try await client.enqueue("a", "\(number)", qos: .exactlyOnce)
                ids.append(try await connection.nextPublish().packetID)
            }
            let order = [ids[2], ids[0], ids[1]]
            for id in order { try await connection.send(.pubrec(Acknowledgement(packetID: id))) }
            for id in order { #expect(try await connection.next() == .pubrel(Acknowledgement(packetID: id))) }
            await client.disconnect()
        }
    }

    @Test("A server that takes no topic aliases gets none [MQTT-3.2.2-18]", arguments: [nil, 0] as [UInt16?])
    func noAliases(maximum: UInt16?) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.topicAliasMaximum = maximum })
            for _ in 0..<2 {
                try await client.publish("long/topic", "x")
                let publish = try await connection.nextPublish()
                #expect(publish.topic == "long/topic" && publish.properties.topicAlias == nil)
            }
            await client.disconnect()
        }
    }

    @Test("A message that fits the server's packets without an alias, but not with one, goes without")
    func aliasTooLong() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections,
                properties: .with {
                    $0.topicAliasMaximum = 1
                    $0.maximumPacketSize = 25
                })
            for text in ["x", ""] {
                try await client.publish("sensors/temperature", text)
                let publish = try await connection.nextPublish()
                #expect(publish.topic == "sensors/temperature" && publish.properties.topicAlias == nil)
            }
            await client.disconnect()
        }
    }

    @Test("A new connection knows no topic alias of the one before, either way [MQTT-3.3.2-7]")
    func aliasesEndWithTheConnection() async throws {
        try await ScriptedBroker.run { broker, connections in
            let limits = Properties.with { $0.topicAliasMaximum = 5 }
            let (client, first) = try await broker.connect(connections, properties: limits)
            let incoming = Properties.with { $0.topicAlias = 1 }
            try await first.send(.publish(Publish(topic: "in", payload: ByteBuffer(), properties: incoming)))
            try await client.publish("long/topic", "x")
            #expect(try await first.nextPublish().topic == "long/topic")
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true, limits)
            for await state in client.states where state.isConnected { break }
            try await client.publish("long/topic", "x")
            #expect(try await second.nextPublish().topic == "long/topic")
            try await second.send(.publish(Publish(topic: "", payload: ByteBuffer(), properties: incoming)))
            #expect(try await second.next() == .disconnect(Disconnect(reasonCode: .protocolError)))
            await client.disconnect()
        }
    }

    @Test("Aliases and subscription identifiers are not the program's to send [MQTT-3.3.2-14, MQTT-3.3.4-6]")
    func ownProperties() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, _) = try await broker.connect(connections)
            for properties in [
                Properties.with { $0.topicAlias = 1 }, .with { $0.subscriptionIdentifiers = [1] },
                .with { $0.responseTopic = "a/+" },
            ] {
                await #expect(throws: MQTTXError.self) { try await client.publish("a", "x", properties: properties) }
            }
            await client.disconnect()
        }
    }

    @Test(
        """
        DISCONNECT is the last packet, however many tasks go on publishing; then the connection closes \
        [MQTT-3.14.4-1, -2, MQTT311-3.14.4-1, -2]
        """,
        arguments: ProtocolVersion.allCases)
    func nothingAfterDisconnect(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = version }
            let publishers = (0..<8).map { number in
                Task {
                    while !Task.isCancelled {
                        try await client.enqueue("a", "x", qos: number % 2 == 0 ? .atMostOnce : .atLeastOnce)
                        // The test has its turn as well, however few processors there are.
                        await Task.yield()
                    }
                }
            }
            for _ in 0..<20 { _ = try await connection.nextPublish() }
            async let disconnecting: Void = client.disconnect()
            var last: Packet?
            while let packet = try? await connection.nextOfAll() {
                if case .disconnect? = last { Issue.record("\(packet.type) after DISCONNECT") }
                last = packet
            }
            #expect(last == .disconnect(Disconnect()))
            await disconnecting
            for publisher in publishers {
                publisher.cancel()
                _ = try? await publisher.value
            }
        }
    }

    @Test("DISCONNECT carries the reason that the program gives")
    func disconnectReason() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            await client.disconnect(reasonCode: .disconnectWithWill)
            #expect(try await connection.next() == .disconnect(Disconnect(reasonCode: .disconnectWithWill)))
            await #expect(throws: ScriptedConnection.Ended.self) { _ = try await connection.next() }
        }
    }

    @Test(
        """
        Acknowledgements fit the smallest packet that a server can ask for [MQTT-3.4.2-2, -3, MQTT-3.5.2-2, \
        -3, MQTT-3.6.2-2, -3, MQTT-3.7.2-2, -3, MQTT-3.14.2-3, -4]
        """
    )
    func smallestPackets() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(
                connections, properties: .with { $0.maximumPacketSize = 5 })
            var publish = Publish(topic: "unheard/of", payload: ByteBuffer(), qos: .exactlyOnce, packetID: 7)
            publish.payload = ByteBuffer(repeating: 0, count: 1_100_000)
            try await connection.send(.publish(publish), .pubrel(Acknowledgement(packetID: 9)))
            let packets: [Packet] = [
                .pubcomp(Acknowledgement(packetID: 9, reasonCode: .packetIdentifierNotFound)),
                .pubrec(Acknowledgement(packetID: 7)),
            ]
            for _ in packets { #expect(packets.contains(try await connection.next())) }
            try await connection.send(.pubrec(Acknowledgement(packetID: 3)))
            #expect(
                try await connection.next()
                    == .pubrel(Acknowledgement(packetID: 3, reasonCode: .packetIdentifierNotFound)))
            publish = Publish(topic: "unheard/of", payload: publish.payload, qos: .atLeastOnce, packetID: 8)
            try await connection.send(.publish(publish))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 8)))
            await expectError(.packetTooLarge) { try await client.publish("a", "x", qos: .atLeastOnce) }
            await client.disconnect(
                reasonCode: .disconnectWithWill, reasonString: "no room for this",
                userProperties: [UserProperty("nor", "this")])
            #expect(try await connection.next() == .disconnect(Disconnect(reasonCode: .disconnectWithWill)))
        }
    }
}
