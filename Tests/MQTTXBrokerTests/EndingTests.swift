import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("What is due when a connection ends", .timeLimit(.minutes(2)))
struct EndingTests {
    enum Ending: CaseIterable { case disconnect, violation, endOfInput }

    @Test(
        "What came before the end is answered, with the messages that it brought",
        arguments: ProtocolVersion.allCases, Ending.allCases)
    func answers(version: ProtocolVersion, ending: Ending) async throws {
        var packets: [Packet] = [
            .connect(Connect(version: version, clientID: "a")),
            .subscribe(Subscribe(packetID: 1, filters: [.init("t/#", options: .init(qos: .atLeastOnce))])),
            .publish(Publish(topic: "t/0", payload: ByteBuffer())),
            .publish(Publish(topic: "t/1", payload: ByteBuffer(), qos: .atLeastOnce, packetID: 2)),
        ]
        if ending == .disconnect { packets.append(.disconnect(Disconnect())) }
        var bytes = ByteBuffer()
        for packet in packets { try PacketEncoder(version: version).encode(packet, into: &bytes) }
        if ending == .violation { bytes.writeBytes([0x00, 0x00]) }
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("t/kept", qos: .atLeastOnce, retain: true)
            // Whether the end comes in the same read is up to the system: mostly it does.
            for _ in 0..<10 {
                let client = try await RawClient.open(broker, version: version)
                try await client.send(bytes: bytes, isLast: ending == .endOfInput)
                var answers: [String] = []
                while let packet = try await client.next() { answers.append(packet.brief) }
                let end = ending == .violation && version == .v5 ? ["DISCONNECT"] : []
                #expect(answers == ["CONNACK", "SUBACK", "PUBACK", "t/kept", "t/0", "t/1"] + end)
            }
        }
    }
}
