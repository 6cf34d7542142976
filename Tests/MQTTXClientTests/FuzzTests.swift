import MQTTCore
import NIOCore
import TestSupport
import Testing

@testable import MQTTXClient

@Suite("A broker that sends anything", .timeLimit(.minutes(2)))
struct FuzzTests {
    @Test(
        "The client neither crashes nor hangs, says what was wrong, comes back, and loses nothing that waits",
        arguments: ProtocolVersion.allCases)
    func anything(version: ProtocolVersion) async throws {
        var hostility = Hostility(version, SeededGenerator.announced("anything \(version)"))
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.version = version
                    $0.reconnect.interval = .milliseconds(1)
                    $0.reconnect.maxInterval = .milliseconds(5)
                    $0.receiveMaximum = 20
                })
            let handled = Log<String>()
            try await client.subscribe("#") { handled.add($0.topic) }
            async let connecting: Void = client.connect()
            var connection = try #require(await connections.next())
            try await connection.accept()
            try await connection.grant()
            try await connecting
            var receipts: [PublishReceipt] = []
            for number in 0..<20 {
                receipts.append(
                    try await client.enqueue("t", "\(number)", qos: number % 2 == 0 ? .atLeastOnce : .exactlyOnce))
            }
            var explanations = 0
            for _ in 0..<100 {
                var bytes = try hostility.bytes()
                // A DISCONNECT may end it all, by right.
                for index in bytes.readableBytesView.indices where bytes.readableBytesView[index] >> 4 == 0xE {
                    bytes.setInteger(UInt8(0xD0), at: index)
                }
                try? await connection.send(bytes)
                // Types of zero: whatever went before, this ends the connection, in the midst of a packet as well.
                try? await connection.send(ByteBuffer(repeating: 0, count: 1_300_000))
                // 3.1.1 has no largest packet to announce: one of 256 MiB may have begun.
                if version == .v3_1_1 { await connection.close() }
                var last: Packet?
                while let packet = try? await connection.nextOfAll() { last = packet }
                if case .disconnect(let disconnect) = last {
                    #expect(disconnect.reasonCode.isError && version == .v5)
                    explanations += 1
                }
                await connection.close()
                connection = try #require(await connections.next())
                try await connection.accept(sessionPresent: true)
            }
            #expect(explanations > 0 || version != .v5)
            let last = connection
            let answering = Task { while (try? await answer(last)) != nil {} }
            for receipt in receipts { _ = try await receipt.outcome }
            try await connection.send(.publish(Publish(topic: "at/last", payload: ByteBuffer())))
            while await handled.next(1) != ["at/last"] {}
            await client.disconnect()
            await answering.value
        }
    }

    /// Does what a broker does with the next packet.
    private func answer(_ connection: ScriptedConnection) async throws {
        switch try await connection.next() {
        case .publish(let publish) where publish.qos == .atLeastOnce:
            try await connection.send(.puback(Acknowledgement(packetID: publish.packetID)))
        case .publish(let publish):
            try await connection.send(.pubrec(Acknowledgement(packetID: publish.packetID)))
        case .pubrel(let release):
            try await connection.send(.pubcomp(Acknowledgement(packetID: release.packetID)))
        default: break
        }
    }
}
