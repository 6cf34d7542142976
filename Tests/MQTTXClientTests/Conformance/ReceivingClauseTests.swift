import MQTTCore
import NIOCore
import TestSupport
import Testing

@testable import MQTTXClient

@Suite("What the client receives, by clause (sections 2.2.1, 3.3, 4.3, 4.6, 4.13)", .timeLimit(.minutes(1)))
struct ReceivingClauseTests {
    private func message(_ text: String, qos: QoS, id: UInt16, dup: Bool = false) -> Packet {
        .publish(Publish(topic: "t", payload: ByteBuffer(string: text), qos: qos, dup: dup, packetID: id))
    }

    @Test(
        """
        A PUBLISH is answered as its QoS asks, with its identifier: nothing, PUBACK, PUBREC and PUBCOMP \
        [MQTT-2.2.1-5, MQTT-3.3.4-1, MQTT-4.3.2-4, MQTT-4.3.3-8, -11, MQTT311-2.3.1-6, MQTT311-3.3.4-1]
        """,
        arguments: ProtocolVersion.allCases)
    func answers(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = version }
            let log = Log<String>()
            async let subscribing = client.subscribe("#", qos: .exactlyOnce) { log.add($0.string ?? "") }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(
                message("0", qos: .atMostOnce, id: 0), message("1", qos: .atLeastOnce, id: 0x1234))
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 0x1234)))
            try await connection.send(message("2", qos: .exactlyOnce, id: 0xFFFF))
            #expect(try await connection.next() == .pubrec(Acknowledgement(packetID: 0xFFFF)))
            try await connection.send(.pubrel(Acknowledgement(packetID: 0xFFFF)))
            #expect(try await connection.next() == .pubcomp(Acknowledgement(packetID: 0xFFFF)))
            #expect(await log.next(3) == ["0", "1", "2"])
            await client.disconnect()
        }
    }

    @Test(
        """
        An identifier stands for a new message after PUBACK and after PUBCOMP, whatever DUP says \
        [MQTT-4.3.2-5, MQTT-4.3.3-12, MQTT311-4.3.2-2, MQTT311-4.3.3-2]
        """,
        arguments: ProtocolVersion.allCases)
    func newMessages(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = version }
            let log = Log<String>()
            async let subscribing = client.subscribe("#", qos: .exactlyOnce) { log.add($0.string ?? "") }
            try await connection.grant()
            _ = try await subscribing
            for text in ["a", "b"] {
                try await connection.send(message(text, qos: .atLeastOnce, id: 7, dup: text == "b"))
                #expect(try await connection.next() == .puback(Acknowledgement(packetID: 7)))
            }
            for text in ["c", "d"] {
                try await connection.send(message(text, qos: .exactlyOnce, id: 7, dup: text == "d"))
                #expect(try await connection.next() == .pubrec(Acknowledgement(packetID: 7)))
                try await connection.send(.pubrel(Acknowledgement(packetID: 7)))
                #expect(try await connection.next() == .pubcomp(Acknowledgement(packetID: 7)))
            }
            #expect(await log.next(4) == ["a", "b", "c", "d"])
            await client.disconnect()
        }
    }

    @Test("Until PUBREL the same identifier of QoS 2 is the same message, over a new connection too [MQTT-4.3.3-10]")
    func duplicates() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let log = Log<String>()
            async let subscribing = client.subscribe("#", qos: .exactlyOnce) { log.add($0.string ?? "") }
            try await first.grant()
            _ = try await subscribing
            try await first.send(message("once", qos: .exactlyOnce, id: 7))
            #expect(try await first.next() == .pubrec(Acknowledgement(packetID: 7)))
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            try await second.send(message("once", qos: .exactlyOnce, id: 7, dup: true))
            #expect(try await second.next() == .pubrec(Acknowledgement(packetID: 7)))
            try await second.send(.pubrel(Acknowledgement(packetID: 7)))
            #expect(try await second.next() == .pubcomp(Acknowledgement(packetID: 7)))
            try await second.send(message("next", qos: .exactlyOnce, id: 7))
            #expect(await log.next(2) == ["once", "next"])
            await client.disconnect()
        }
    }

    @Test(
        "PUBRECs go out in the order received, however handlers end [MQTT-4.6.0-3, MQTT311-4.6.0-3]",
        arguments: ProtocolVersion.allCases)
    func receiptOrder(version: ProtocolVersion) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = version }
            let gate = Gate()
            let started = Log<String>()
            async let subscribing = client.subscribe("#", qos: .exactlyOnce) { message in
                started.add(message.topic)
                if message.topic == "slow" { await gate.wait() }
            }
            try await connection.grant()
            _ = try await subscribing
            for (id, topic) in zip(UInt16(1)..., ["slow", "quick", "other"]) {
                try await connection.send(
                    .publish(Publish(topic: topic, payload: ByteBuffer(), qos: .exactlyOnce, packetID: id)))
            }
            #expect(Set(await started.next(3)) == ["slow", "quick", "other"])
            gate.open()
            for id in UInt16(1)...3 { #expect(try await connection.next() == .pubrec(Acknowledgement(packetID: id))) }
            await client.disconnect()
        }
    }

    @Test("Every alias up to the maximum announced is taken [MQTT-3.3.2-10]")
    func aliases() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.topicAliasMaximum = 3 })
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            #expect(try await connection.accept().properties.topicAliasMaximum == 3)
            try await connecting
            let log = Log<String>()
            async let subscribing = client.subscribe("#", qos: .atMostOnce) { log.add($0.topic) }
            try await connection.grant()
            _ = try await subscribing
            for topic in ["t", ""] {
                for alias in 1...3 as ClosedRange<UInt16> {
                    let publish = Publish(
                        topic: topic.isEmpty ? "" : "\(topic)/\(alias)", payload: ByteBuffer(),
                        properties: .with { $0.topicAlias = alias })
                    try await connection.send(.publish(publish))
                }
            }
            #expect(await log.next(6).sorted() == ["t/1", "t/1", "t/2", "t/2", "t/3", "t/3"])
            try await connection.send(
                .publish(Publish(topic: "t", payload: ByteBuffer(), properties: .with { $0.topicAlias = 4 })))
            #expect(try await connection.next() == .disconnect(Disconnect(reasonCode: .topicAliasInvalid)))
            await client.disconnect()
        }
    }

    static let violations: [Violation] = [
        Violation("flags of PUBREL", .v5, "6002 0001", .malformedPacket),
        Violation("flags of PUBACK (MQTT311-2.2.2-2)", .v3_1_1, "4102 0001"),
        Violation("flags of DISCONNECT (MQTT-3.14.1-1)", .v5, "e100", .malformedPacket),
        Violation("flags of AUTH (MQTT-3.15.1-1)", .v5, "f100", .malformedPacket),
        Violation("QoS 3 (MQTT-3.3.1-4)", .v5, "3606 0001 61 0001 00", .malformedPacket),
        Violation("QoS 3 (MQTT311-3.3.1-4)", .v3_1_1, "3605 0001 61 0001"),
        Violation("topic that is no UTF-8 (MQTT-1.5.4-1)", .v5, "3005 0002 c328 00", .malformedPacket),
        Violation("topic that is no UTF-8 (MQTT311-1.5.3-1)", .v3_1_1, "3004 0002 c328"),
        Violation("U+0000 in a topic (MQTT-1.5.4-2)", .v5, "3004 0001 00 00", .malformedPacket),
        Violation("U+0000 in a topic (MQTT311-1.5.3-2)", .v3_1_1, "3003 0001 00"),
        Violation("a second CONNACK (MQTT-3.2.0-2)", .v5, "2003 00 00 00", .protocolError),
        Violation("a second CONNACK", .v3_1_1, "2002 00 00"),
        Violation("session expiry of a server (MQTT-3.14.2-2)", .v5, "e007 00 05 11 00000001", .protocolError),
        Violation("AUTH that nobody asked for (MQTT-4.12.0-6)", .v5, "f006 18 04 15 0001 4d", .protocolError),
        Violation("SUBACK with a reserved code (MQTT311-3.9.3-2)", .v3_1_1, "9003 0001 03"),
        Violation("PINGREQ of a server", .v5, "c000", .protocolError),
        Violation("subscription identifier 0", .v5, "3006 0001 61 02 0b00", .protocolError),
        Violation("topic alias 0", .v5, "3007 0001 61 03 230000", .topicAliasInvalid),
        Violation("packet identifier 0", .v5, "3206 0001 61 0000 00", .protocolError),
        Violation("a wildcard in a topic", .v5, "3004 0001 23 00", .topicNameInvalid),
        Violation("a packet larger than announced", .v5, "30 ffffff7f", .packetTooLarge),
        Violation("a string longer than its packet", .v5, "3004 00ff 61 00", .malformedPacket),
        Violation("SUBSCRIBE of a server", .v3_1_1, "8206 0001 0001 61 00"),
    ]

    @Test(
        "A violation closes the connection, in 5.0 with the reason (MQTT-4.13.2-1, MQTT311-4.8.0-1)",
        arguments: violations)
    func violation(_ example: Violation) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) {
                $0.version = example.version
                $0.reconnect.enabled = false
            }
            try await connection.send(ByteBuffer(bytes: example.bytes))
            if let code = example.code {
                #expect(try await connection.next() == .disconnect(Disconnect(reasonCode: code)))
            }
            await #expect(throws: ScriptedConnection.Ended.self) { _ = try await connection.next() }
            for await state in client.states {
                guard case .disconnected(let error) = state else { continue }
                let codes: [ErrorCode?] = [.protocolViolation, .invalidUTF8, .invalidTopic, .packetTooLarge]
                #expect(codes.contains(error?.code), "\(String(describing: error))")
                break
            }
            await client.disconnect()
        }
    }

    @Test(
        "A DISCONNECT of the server ends the connection [MQTT-4.13.2-1]",
        arguments: [ReasonCode.success, .serverShuttingDown])
    func disconnectOfTheServer(code: ReasonCode) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            try await connection.send(.disconnect(Disconnect(reasonCode: code)))
            await #expect(throws: ScriptedConnection.Ended.self) { _ = try await connection.next() }
            try await #require(await connections.next()).accept()
            await client.disconnect()
        }
    }
}
