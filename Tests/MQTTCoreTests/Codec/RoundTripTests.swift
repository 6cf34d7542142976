import MQTTCore
import NIOCore
import TestSupport
import Testing

@Suite("Round trips of packets", .timeLimit(.minutes(2)))
struct RoundTripTests {
    private func types(_ version: ProtocolVersion) -> [PacketType] {
        PacketType.allCases.filter { version == .v5 || $0 != .auth }
    }

    @Test(
        """
        Every packet reads back as it was written, with random fields and properties [MQTT-3.1.2-12, \
        MQTT311-3.1.2-14]
        """,
        arguments: ProtocolVersion.allCases)
    func roundTrip(version: ProtocolVersion) throws {
        var random = SeededGenerator.announced("round trip \(version)")
        for type in types(version) {
            for _ in 0..<60 {
                let packet = random.packet(version, type)
                let bytes = try encoded(packet, version)
                let result = try decoded([bytes], packet.receiver, version)
                #expect(result == [packet], "\(bytes.hex)")
            }
        }
    }

    @Test("A packet split at any byte reads the same", arguments: ProtocolVersion.allCases)
    func split(version: ProtocolVersion) throws {
        var random = SeededGenerator.announced("split \(version)")
        for type in types(version) {
            let packet = random.packet(version, type)
            let following = Packet.publish(Publish(topic: "t", payload: ByteBuffer(string: "next")))
            var bytes = try encoded(packet, version)
            bytes.writeImmutableBuffer(try encoded(following, version))
            for cut in 1..<bytes.readableBytes {
                let halves = [
                    ByteBuffer(bytes: bytes.readableBytesView.prefix(cut)),
                    ByteBuffer(bytes: bytes.readableBytesView.dropFirst(cut)),
                ]
                #expect(try decoded(halves, packet.receiver, version) == [packet, following], "cut at \(cut)")
            }
            let single = bytes.readableBytesView.map { ByteBuffer(bytes: [$0]) }
            #expect(try decoded(single, packet.receiver, version) == [packet, following], "single bytes")
        }
    }

    @Test("All buffers may be appended before the first packet is asked for")
    func appendAhead() throws {
        var random = SeededGenerator.announced("append ahead")
        let packets = (0..<50).map { _ in Packet.publish(random.publish(.v5)) }
        var all = ByteBuffer()
        for packet in packets { all.writeImmutableBuffer(try encoded(packet, .v5)) }
        var decoder = PacketDecoder(role: .server, version: .v5)
        while let piece = all.readSlice(length: min(all.readableBytes, Int.random(in: 1...700, using: &random))),
            piece.readableBytes > 0
        {
            decoder.append(piece)
        }
        var result: [Packet] = []
        while case .packet(let packet)? = try decoder.next() { result.append(packet) }
        #expect(result == packets)
    }

    @Test("The server takes the version from the CONNECT", arguments: ProtocolVersion.allCases)
    func versionFromConnect(version: ProtocolVersion) throws {
        var decoder = PacketDecoder(role: .server, version: nil)
        decoder.append(try encoded(.connect(Connect(version: version, clientID: "c")), version))
        decoder.append(try encoded(.publish(Publish(topic: "t", payload: ByteBuffer(string: "x"))), version))
        #expect(decoder.version == nil)
        #expect(try decoder.next() == .packet(.connect(Connect(version: version, clientID: "c"))))
        #expect(decoder.version == version)
        #expect(try decoder.next() == .packet(.publish(Publish(topic: "t", payload: ByteBuffer(string: "x")))))
    }

    @Test("A payload of 20 MiB arrives whole, in one buffer and in many")
    func largePayload() throws {
        let payload = ByteBuffer(repeating: 7, count: 20 << 20)
        let packet = Packet.publish(Publish(topic: "t", payload: payload))
        let bytes = try encoded(packet, .v3_1_1)
        #expect(try decoded([bytes, bytes], .client, .v3_1_1) == [packet, packet])
        var rest = bytes
        var pieces: [ByteBuffer] = []
        while let piece = rest.readSlice(length: min(1 << 18, rest.readableBytes)), piece.readableBytes > 0 {
            pieces.append(piece)
        }
        #expect(try decoded(pieces, .client, .v3_1_1) == [packet])
    }

    @Test("An established alias stands for the topic")
    func alias() throws {
        var buffer = ByteBuffer()
        let encoder = PacketEncoder(version: .v5)
        try encoder.encodePublish(
            topic: "a/b", payload: ByteBuffer(string: "x"), qos: .atMostOnce, retain: false, dup: false, packetID: 0,
            properties: .with { $0.topicAlias = 9 }, topicAlias: 3, sendTopic: false, into: &buffer)
        #expect(buffer.hex == "30070000" + "03230003" + "78")
        let expected = Publish(topic: "", payload: ByteBuffer(string: "x"), properties: .with { $0.topicAlias = 3 })
        #expect(try decoded([buffer], .client, .v5) == [.publish(expected)])
    }
}
