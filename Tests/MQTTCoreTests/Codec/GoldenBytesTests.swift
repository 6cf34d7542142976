import MQTTCore
import NIOCore
import Testing

@Suite("Bytes as the specification prints them", .timeLimit(.minutes(2)))
struct GoldenBytesTests {
    /// A packet, its version and its bytes.
    struct Example: Sendable, CustomStringConvertible {
        let name: String
        let version: ProtocolVersion
        let packet: Packet
        let hex: String

        var description: String { name }
    }

    static let examples: [Example] = [
        Example(
            // The payload's order, and its flags: MQTT311-3.1.3-1, -3, MQTT311-3.1.2-9, -19, -21.
            name: "CONNECT 3.1.1, non-normative example of 3.1.2", version: .v3_1_1,
            packet: .connect(
                Connect(
                    version: .v3_1_1, cleanStart: true, keepAlive: 10, clientID: "",
                    will: Will(topic: "w", payload: ByteBuffer(bytes: [1]), qos: .atLeastOnce), username: "u",
                    password: ByteBuffer(string: "p"))),
            hex: "1018 0004 4d515454 04 ce 000a 0000 000177 000101 000175 000170"),
        Example(
            // MQTT-3.1.2-1, -9, -17, -19, MQTT-3.1.3-1, -3, MQTT-2.2.2-1.
            name: "CONNECT 5.0, figure 3-6", version: .v5,
            packet: .connect(
                Connect(
                    version: .v5, cleanStart: true, keepAlive: 10, clientID: "",
                    will: Will(topic: "w", payload: ByteBuffer(), qos: .atLeastOnce), username: "",
                    password: ByteBuffer(),
                    properties: .with { $0.sessionExpiryInterval = 10 })),
            hex: "101c 0004 4d515454 05 ce 000a 05 11 0000000a 0000 00 000177 0000 0000 0000"),
        Example(
            name: "CONNECT 3.1.1 of the client identifier alone (MQTT311-3.1.2-11, -13, -15, -18, -20)",
            version: .v3_1_1,
            packet: .connect(Connect(version: .v3_1_1, keepAlive: 10, clientID: "c")),
            hex: "100d 0004 4d515454 04 02 000a 000163"),
        Example(
            name: "CONNECT 5.0 of the client identifier alone (MQTT-3.1.2-11, -13, -16, -18)", version: .v5,
            packet: .connect(Connect(version: .v5, keepAlive: 10, clientID: "c")),
            hex: "100e 0004 4d515454 05 02 000a 00 000163"),
        Example(
            name: "CONNACK 5.0 with a session (MQTT-3.2.2-1)", version: .v5,
            packet: .connack(ConnAck(sessionPresent: true)), hex: "2003 01 00 00"),
        Example(
            name: "PUBLISH at QoS 0 3.1.1 (MQTT311-2.3.1-5, MQTT311-3.3.2-1)", version: .v3_1_1,
            packet: .publish(Publish(topic: "a/b", payload: ByteBuffer(string: "x"))), hex: "3006 0003 612f62 78"),
        Example(
            name: "PUBLISH at QoS 0 5.0 (MQTT-2.2.1-2, MQTT-3.3.2-1, MQTT-2.2.2-1)", version: .v5,
            packet: .publish(Publish(topic: "a/b", payload: ByteBuffer(string: "x"))), hex: "3007 0003 612f62 00 78"),
        Example(
            name: "PUBLISH 3.1.1, figure 3.11", version: .v3_1_1,
            packet: .publish(Publish(topic: "a/b", payload: ByteBuffer(), qos: .atLeastOnce, packetID: 10)),
            hex: "3207 0003 612f62 000a"),
        Example(
            name: "PUBLISH 5.0, figure 3-9", version: .v5,
            packet: .publish(Publish(topic: "a/b", payload: ByteBuffer(), qos: .atLeastOnce, packetID: 10)),
            hex: "3208 0003 612f62 000a 00"),
        Example(
            name: "SUBSCRIBE 3.1.1, figure 3.23 (MQTT311-3.8.1-1)", version: .v3_1_1,
            packet: .subscribe(
                Subscribe(
                    packetID: 10,
                    filters: [
                        SubscriptionRequest("a/b", options: .init(qos: .atLeastOnce)),
                        SubscriptionRequest("c/d", options: .init(qos: .exactlyOnce)),
                    ])),
            hex: "820e 000a 0003 612f62 01 0003 632f64 02"),
        Example(
            name: "SUBSCRIBE 5.0, figure 3-22 (MQTT-3.8.1-1)", version: .v5,
            packet: .subscribe(
                Subscribe(
                    packetID: 10,
                    filters: [
                        SubscriptionRequest("a/b", options: .init(qos: .atLeastOnce)),
                        SubscriptionRequest("c/d", options: .init(qos: .exactlyOnce)),
                    ])),
            hex: "820f 000a 00 0003 612f62 01 0003 632f64 02"),
        Example(
            name: "SUBACK 3.1.1, figure 3.26", version: .v3_1_1,
            packet: .suback(SubAck(packetID: 10, reasonCodes: [.success, .grantedQoS2, .unspecifiedError])),
            hex: "9005 000a 00 02 80"),
        Example(
            name: "UNSUBSCRIBE 3.1.1, figure 3.30 (MQTT311-3.10.1-1, MQTT311-3.10.3-1)", version: .v3_1_1,
            packet: .unsubscribe(Unsubscribe(packetID: 10, filters: ["a/b", "c/d"])),
            hex: "a20c 000a 0003 612f62 0003 632f64"),
        Example(
            name: "UNSUBACK 3.1.1", version: .v3_1_1, packet: .unsuback(UnsubAck(packetID: 10)), hex: "b002 000a"),
        Example(name: "PUBACK", version: .v5, packet: .puback(Acknowledgement(packetID: 1)), hex: "4002 0001"),
        Example(
            name: "PUBREC with a reason", version: .v5,
            packet: .pubrec(Acknowledgement(packetID: 1, reasonCode: .quotaExceeded)), hex: "5003 0001 97"),
        Example(
            name: "PUBREL (MQTT-3.6.1-1, MQTT311-3.6.1-1)", version: .v3_1_1,
            packet: .pubrel(Acknowledgement(packetID: 258)), hex: "6202 0102"),
        Example(name: "PINGREQ", version: .v5, packet: .pingreq, hex: "c000"),
        Example(name: "DISCONNECT", version: .v5, packet: .disconnect(Disconnect()), hex: "e000"),
        Example(
            name: "DISCONNECT with will", version: .v5,
            packet: .disconnect(Disconnect(reasonCode: .disconnectWithWill)),
            hex: "e001 04"),
        Example(
            name: "CONNACK 3.1.1, bad password", version: .v3_1_1,
            packet: .connack(ConnAck(reasonCode: .badUserNameOrPassword)), hex: "2002 00 04"),
        Example(
            name: "A string with U+2A6D4, figure 1-1 of 1.5.4", version: .v3_1_1,
            packet: .publish(Publish(topic: "A\u{2A6D4}", payload: ByteBuffer())), hex: "3007 0005 41 f0aa9b94"),
        Example(
            name: "U+FEFF is kept (MQTT-1.5.4-3, MQTT311-1.5.3-3)", version: .v3_1_1,
            packet: .publish(Publish(topic: "\u{FEFF}a", payload: ByteBuffer())), hex: "3006 0004 efbbbf61"),
    ]

    @Test("Packets have the bytes of the examples", arguments: examples)
    func example(_ example: Example) throws {
        let bytes = ByteBuffer(hex: example.hex)
        #expect(try encoded(example.packet, example.version).hex == bytes.hex)
        #expect(try decoded([bytes], example.packet.receiver, example.version) == [example.packet])
    }

    @Test(
        "Remaining lengths take as many bytes as table 2.4 says (section 1.5.5) [MQTT-1.5.5-1]",
        arguments: [
            (0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (2_097_151, "ffff7f"),
            (2_097_152, "80808001"),
        ])
    func remainingLength(length: Int, hex: String) throws {
        guard length >= 4 else { return }
        var buffer = ByteBuffer()
        let payload = ByteBuffer(repeating: 0, count: length - 3)
        try PacketEncoder(version: .v3_1_1).encode(.publish(Publish(topic: "t", payload: payload)), into: &buffer)
        #expect(ByteBuffer(bytes: buffer.readableBytesView.dropFirst().prefix(hex.count / 2)).hex == hex)
        #expect(buffer.readableBytes == 1 + hex.count / 2 + length)
    }

    @Test("CONNACK codes of 5.0 become return codes of 3.1.1 [MQTT311-3.2.2-6]")
    func connackCodes() throws {
        let expected: [(ReasonCode, UInt8)] = [
            (.success, 0), (.unsupportedProtocolVersion, 1), (.clientIdentifierNotValid, 2), (.serverUnavailable, 3),
            (.badUserNameOrPassword, 4), (.notAuthorized, 5), (.banned, 5), (.quotaExceeded, 3),
        ]
        for (code, byte) in expected {
            let bytes = try encoded(.connack(ConnAck(reasonCode: code)), .v3_1_1)
            #expect(bytes.getInteger(at: 3, as: UInt8.self) == byte, "\(code)")
        }
    }
}
