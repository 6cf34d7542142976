import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

@Suite("A broker that does wrong", .timeLimit(.minutes(2)))
struct HostileBrokerTests {
    @Test("Acknowledgements of nothing, and repeated ones, complete nothing and harm nothing")
    func strayAcknowledgements() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            async let publishing = client.publish("t", "x", qos: .exactlyOnce)
            let id = try await connection.nextPublish().packetID
            try await connection.send(
                .pubcomp(Acknowledgement(packetID: id)), .puback(Acknowledgement(packetID: 60_000)),
                .suback(SubAck(packetID: id, reasonCodes: [.success])),
                .pubrec(Acknowledgement(packetID: id)), .pubrec(Acknowledgement(packetID: id)))
            #expect(try await connection.next() == .pubrel(Acknowledgement(packetID: id)))
            #expect(try await connection.next() == .pubrel(Acknowledgement(packetID: id)))
            // What PUBREC has accepted is delivered; a PUBREL that came again may find nothing any more.
            let unknown = Acknowledgement(packetID: id, reasonCode: .packetIdentifierNotFound)
            try await connection.send(.pubcomp(unknown), .pubcomp(unknown))
            _ = try await publishing
            #expect(client.isConnected)
            await client.disconnect()
        }
    }

    @Test(
        "An answer with too few or too many codes, or of the wrong kind, ends the connection; the next one asks again",
        arguments: [ProtocolVersion.v5, .v3_1_1], [1, 3, nil])
    func wrongAnswer(version: ProtocolVersion, codes: Int?) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.version = version })
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            // Two filters that are asked for with one packet.
            let subscriptions = [try await client.subscribe("a") { _ in }, try await client.subscribe("b") { _ in }]
            try await connection.accept()
            let id = try await connection.nextSubscribe().packetID
            if let codes {
                let codes = Array(repeating: ReasonCode.success, count: codes)
                try await connection.send(.suback(SubAck(packetID: id, reasonCodes: codes)))
            } else {
                try await connection.send(.unsuback(UnsubAck(packetID: id, reasonCodes: [.success])))
            }
            if version == .v5 { #expect(try await connection.nextDisconnect().reasonCode == .protocolError) }
            await #expect(throws: ScriptedConnection.Ended.self) { try await connection.next() }
            let next = try #require(await connections.next())
            try await next.accept()
            try await next.grant()
            try await connecting
            for subscription in subscriptions { #expect(try await subscription.granted() == .atLeastOnce) }
            async let cancelling = client.unsubscribe("a")
            let unsubscribe = try await next.nextUnsubscribe()
            try await next.send(.suback(SubAck(packetID: unsubscribe.packetID, reasonCodes: [.success])))
            if version == .v5 { #expect(try await next.nextDisconnect().reasonCode == .protocolError) }
            _ = try await cancelling
            await client.disconnect()
        }
    }

    @Test("Limits at their extremes are kept: one message in flight, twenty bytes a packet, QoS 0 alone")
    func extremeLimits() async throws {
        try await ScriptedBroker.run { broker, connections in
            let limits = Properties.with {
                $0.receiveMaximum = 1
                $0.maximumPacketSize = 20
                $0.topicAliasMaximum = 65_535
                $0.serverKeepAlive = 1
            }
            let client = MQTTClient(broker.config())
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            try await connection.accept(limits)
            try await connecting
            async let first = client.publish("t", "1", qos: .atLeastOnce)
            let published = try await connection.nextPublish()
            await expectError(.packetTooLarge) {
                try await client.publish("a/topic/that/is/too/long/for/twenty/bytes", "x", qos: .atMostOnce)
            }
            async let second = client.publish("t", "2", qos: .atLeastOnce)
            try await connection.send(.puback(Acknowledgement(packetID: published.packetID)))
            let next = try await connection.nextPublish()
            #expect(String(buffer: next.payload) == "2")
            try await connection.send(.puback(Acknowledgement(packetID: next.packetID)))
            _ = try await (first, second)
            await client.disconnect()
        }
    }
}
