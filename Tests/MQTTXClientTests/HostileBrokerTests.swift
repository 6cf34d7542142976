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
                .puback(Acknowledgement(packetID: id)), .pubcomp(Acknowledgement(packetID: id)),
                .puback(Acknowledgement(packetID: 60_000)), .suback(SubAck(packetID: id, reasonCodes: [.success])),
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
