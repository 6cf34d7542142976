import MQTTCore
import NIOCore
import Testing

@Suite("Limits on size", .timeLimit(.minutes(2)))
struct SizeLimitTests {
    @Test("A packet over the limit is refused at its header, with 0x95", arguments: ProtocolVersion.allCases)
    func packetTooLarge(version: ProtocolVersion) throws {
        var decoder = PacketDecoder(role: .client, version: version, maximumPacketSize: 100)
        decoder.append(ByteBuffer(hex: "3062"))
        #expect(try decoder.next() == nil)
        decoder = PacketDecoder(role: .client, version: version, maximumPacketSize: 100)
        decoder.append(ByteBuffer(hex: "3063"))
        let error = #expect(throws: MQTTXError.self) { try decoder.next() }
        #expect(error?.code == .packetTooLarge)
        #expect(error?.reasonCode == .packetTooLarge)
    }

    @Test("The largest remaining length is taken without a trap and without memory")
    func largestHeader() throws {
        var decoder = PacketDecoder(role: .client, version: .v3_1_1)
        decoder.append(ByteBuffer(hex: "30ffffff7f"))
        #expect(try decoder.next() == nil)
        decoder.append(ByteBuffer(hex: "0001"))
        #expect(try decoder.next() == nil)
    }

    @Test("A payload over the limit is passed over, whatever the pieces", arguments: [1, 2, 3, 5, 64, 1000, 5000])
    func skip(pieceSize: Int) throws {
        let before = Packet.publish(Publish(topic: "before", payload: ByteBuffer(repeating: 1, count: 100)))
        let large = Packet.publish(
            Publish(
                topic: "large", payload: ByteBuffer(repeating: 2, count: 3000), qos: .atLeastOnce, retain: true,
                packetID: 77))
        let after = Packet.publish(Publish(topic: "after", payload: ByteBuffer()))
        var bytes = ByteBuffer()
        for packet in [before, large, after] { bytes.writeImmutableBuffer(try encoded(packet, .v3_1_1)) }
        var decoder = PacketDecoder(role: .client, version: .v3_1_1, maximumPacketSize: 200, maximumPayloadSize: 100)
        var result: [DecodedPacket] = []
        while let piece = bytes.readSlice(length: min(pieceSize, bytes.readableBytes)), piece.readableBytes > 0 {
            decoder.append(piece)
            while let packet = try decoder.next() { result.append(packet) }
        }
        #expect(result.count == 3)
        #expect(result.first == .packet(before))
        #expect(result.last == .packet(after))
        guard case .skippedPublish(let skipped) = result[1] else {
            Issue.record("not skipped")
            return
        }
        #expect(skipped.topic == "large")
        #expect(skipped.packetID == 77)
        #expect(skipped.qos == .atLeastOnce)
        #expect(skipped.retain)
        #expect(skipped.payloadSize == 3000)
    }

    @Test("On 5.0 a payload over its limit is passed over within the packet's limit", arguments: [1, 7, 500])
    func skipV5(pieceSize: Int) throws {
        let properties = Properties.with {
            $0.userProperties = [UserProperty("name", String(repeating: "v", count: 200))]
        }
        var bytes = try encoded(
            .publish(Publish(topic: "t", payload: ByteBuffer(repeating: 0, count: 101), properties: properties)), .v5)
        bytes.writeImmutableBuffer(
            try encoded(
                .publish(Publish(topic: "t", payload: ByteBuffer(repeating: 0, count: 100), properties: properties)),
                .v5))
        var decoder = PacketDecoder(role: .client, version: .v5, maximumPacketSize: 1000, maximumPayloadSize: 100)
        var result: [DecodedPacket] = []
        while let piece = bytes.readSlice(length: min(pieceSize, bytes.readableBytes)), piece.readableBytes > 0 {
            decoder.append(piece)
            while let packet = try decoder.next() { result.append(packet) }
        }
        #expect(result.count == 2)
        guard case .skippedPublish(let skipped)? = result.first, case .packet? = result.last else {
            Issue.record("\(result)")
            return
        }
        #expect(skipped.properties == properties)
        #expect(skipped.payloadSize == 101)
    }

    @Test("Nothing over the receiver's limit is written [MQTT-3.2.2-15]")
    func encoderLimit() throws {
        let packet = Packet.publish(Publish(topic: "t", payload: ByteBuffer(repeating: 0, count: 95)))
        var buffer = ByteBuffer()
        try PacketEncoder(version: .v3_1_1, maximumPacketSize: 100).encode(packet, into: &buffer)
        #expect(buffer.readableBytes == 100)
        let error = #expect(throws: MQTTXError.self) {
            try PacketEncoder(version: .v3_1_1, maximumPacketSize: 99).encode(packet, into: &buffer)
        }
        #expect(error?.code == .packetTooLarge)
        #expect(buffer.readableBytes == 100)
    }

    /// A packet that can't be written, and the code of the error.
    struct Unencodable: Sendable, CustomStringConvertible {
        let description: String
        let version: ProtocolVersion
        let packet: Packet
        let code: ErrorCode

        init(_ description: String, _ version: ProtocolVersion, _ packet: Packet, _ code: ErrorCode = .encodingFailed) {
            self.description = description
            self.version = version
            self.packet = packet
            self.code = code
        }
    }

    private static let long = String(repeating: "x", count: 65_536)
    private static let empty = ByteBuffer()

    static let unencodable: [Unencodable] = [
        Unencodable("empty topic", .v5, .publish(Publish(topic: "", payload: empty)), .invalidTopic),
        Unencodable(
            "wildcard in a topic (MQTT-3.3.2-2, MQTT311-3.3.2-2)", .v5, .publish(Publish(topic: "a/#", payload: empty)),
            .invalidTopic),
        Unencodable("topic too long", .v5, .publish(Publish(topic: long, payload: empty)), .invalidTopic),
        Unencodable("U+0000 in a topic", .v5, .publish(Publish(topic: "a\0", payload: empty)), .invalidUTF8),
        Unencodable("no packet identifier", .v5, .publish(Publish(topic: "a", payload: empty, qos: .atLeastOnce))),
        Unencodable(
            "DUP at QoS 0 (MQTT-3.3.1-2, MQTT311-3.3.1-2)", .v5,
            .publish(Publish(topic: "a", payload: empty, dup: true))),
        Unencodable(
            "property of another packet", .v5,
            .publish(Publish(topic: "a", payload: empty, properties: .with { $0.receiveMaximum = 1 }))),
        Unencodable(
            "payload format 2", .v5,
            .publish(Publish(topic: "a", payload: empty, properties: .with { $0.payloadFormatIndicator = 2 }))),
        Unencodable(
            "subscription identifier too large", .v5,
            .publish(
                Publish(topic: "a", payload: empty, properties: .with { $0.subscriptionIdentifiers = [268_435_456] }))),
        Unencodable(
            "content type too long", .v5,
            .publish(Publish(topic: "a", payload: empty, properties: .with { $0.contentType = long }))),
        Unencodable("client id too long", .v5, .connect(Connect(version: .v5, clientID: long))),
        Unencodable(
            "password alone in 3.1.1 (MQTT311-3.1.2-22)", .v3_1_1, .connect(Connect(version: .v3_1_1, password: empty))),
        Unencodable("a CONNECT of the other version", .v3_1_1, .connect(Connect(version: .v5))),
        Unencodable(
            "receive maximum 0", .v5, .connect(Connect(version: .v5, properties: .with { $0.receiveMaximum = 0 }))),
        Unencodable(
            "authentication data alone", .v5,
            .connect(Connect(version: .v5, properties: .with { $0.authenticationData = empty }))),
        Unencodable(
            "SUBSCRIBE without filters (MQTT-3.8.3-2, MQTT311-3.8.3-3)", .v5,
            .subscribe(Subscribe(packetID: 1, filters: []))),
        Unencodable(
            "UNSUBSCRIBE without filters (MQTT-3.10.3-2, MQTT311-3.10.3-2)", .v3_1_1,
            .unsubscribe(Unsubscribe(packetID: 1, filters: []))),
        Unencodable(
            "topic alias 0 (MQTT-3.3.2-8)", .v5,
            .publish(Publish(topic: "a", payload: empty, properties: .with { $0.topicAlias = 0 }))),
        Unencodable("empty filter", .v5, .unsubscribe(Unsubscribe(packetID: 1, filters: [""])), .invalidTopic),
        Unencodable(
            "No Local on a shared subscription (MQTT-3.8.3-4)", .v5,
            .subscribe(Subscribe(packetID: 1, filters: [.init("$share/g/a", options: .init(noLocal: true))]))),
        Unencodable(
            "code of another packet", .v5, .puback(Acknowledgement(packetID: 1, reasonCode: .keepAliveTimeout))),
        Unencodable("AUTH in 3.1.1", .v3_1_1, .auth(Auth())),
    ]

    @Test("What MQTT has no form for is refused, and nothing is written", arguments: unencodable)
    func refused(_ example: Unencodable) {
        var buffer = ByteBuffer(string: "before")
        let error = #expect(throws: MQTTXError.self) {
            try PacketEncoder(version: example.version).encode(example.packet, into: &buffer)
        }
        #expect(error?.code == example.code, "\(String(describing: error))")
        #expect(String(buffer: buffer) == "before")
    }

    @Test("A password alone is fine in 5.0")
    func passwordAlone() throws {
        let packet = Packet.connect(Connect(version: .v5, password: ByteBuffer(string: "p")))
        #expect(try decoded([try encoded(packet, .v5)], .server, nil) == [packet])
    }

    @Test("On 3.1.1 properties and reason codes are left out")
    func propertiesLeftOut() throws {
        let packet = Packet.puback(
            Acknowledgement(packetID: 1, reasonCode: .quotaExceeded, properties: .with { $0.reasonString = "why" }))
        #expect(try encoded(packet, .v3_1_1).hex == "40020001")
    }
}
