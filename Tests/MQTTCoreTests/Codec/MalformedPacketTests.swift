import MQTTCore
import NIOCore
import Testing

@Suite("Malformed packets", .timeLimit(.minutes(2)))
struct MalformedPacketTests {
    /// Bytes that break a rule, and the reason code that the specification names for it.
    struct Violation: Sendable, CustomStringConvertible {
        let name: String
        let role: Receiver
        let version: ProtocolVersion?
        let hex: String
        let reason: ReasonCode

        init(
            _ name: String, _ role: Receiver, _ version: ProtocolVersion?, _ hex: String,
            _ reason: ReasonCode = .malformedPacket
        ) {
            self.name = name
            self.role = role
            self.version = version
            self.hex = hex
            self.reason = reason
        }

        var description: String { name }
    }

    static let framing: [Violation] = [
        Violation("type 0", .server, .v5, "0000"),
        Violation("type 0 without a length yet", .client, .v3_1_1, "00"),
        Violation("flags of PINGREQ", .server, .v3_1_1, "c100"),
        Violation("flags of SUBSCRIBE (MQTT-3.8.1-1)", .server, .v5, "8007 0001 00 0001 61 00"),
        Violation("flags of PUBREL (MQTT-3.6.1-1)", .server, .v5, "6002 0001"),
        Violation("remaining length of five bytes", .server, .v5, "30ffffffff"),
        Violation("remaining length not shortest in 5.0 (MQTT-1.5.5-1)", .server, .v5, "c08000"),
        Violation("first packet is not CONNECT (MQTT-3.1.0-1)", .server, nil, "c000", .protocolError),
        Violation("CONNECT to a client", .client, .v5, "1000", .protocolError),
        Violation("CONNACK to a server", .server, .v5, "2003 00 00 00", .protocolError),
        Violation("PINGRESP to a server", .server, .v3_1_1, "d000", .protocolError),
        Violation("SUBACK to a server", .server, .v3_1_1, "9003 0001 00", .protocolError),
        Violation("DISCONNECT to a 3.1.1 client", .client, .v3_1_1, "e000", .protocolError),
        Violation("AUTH in 3.1.1", .server, .v3_1_1, "f000", .protocolError),
        Violation("PINGREQ with a body", .server, .v5, "c001 00"),
        Violation("DISCONNECT with a body in 3.1.1", .server, .v3_1_1, "e001 00"),
    ]

    static let publish: [Violation] = [
        Violation("QoS 3 (MQTT-3.3.1-4)", .client, .v5, "3606 0001 61 0001 00"),
        Violation("DUP at QoS 0 (MQTT-3.3.1-2, MQTT311-3.3.1-2)", .client, .v3_1_1, "3803 0001 61"),
        Violation("packet identifier 0 (MQTT-2.2.1-3)", .server, .v3_1_1, "3205 0001 61 0000", .protocolError),
        Violation("topic past the end", .server, .v3_1_1, "3003 0005 61"),
        Violation("no packet identifier", .server, .v3_1_1, "3204 0001 61 00"),
        Violation("no properties (MQTT-2.2.2-1)", .server, .v5, "3003 0001 61"),
        Violation("properties past the end", .server, .v5, "3005 0001 61 05 00"),
        Violation("wildcard # in the topic (MQTT-3.3.2-2)", .client, .v5, "3004 0001 23 00", .topicNameInvalid),
        Violation("wildcard + in the topic (MQTT311-3.3.2-2)", .server, .v3_1_1, "3005 0003 612f2b", .topicNameInvalid),
        Violation("empty topic in 3.1.1", .server, .v3_1_1, "3002 0000", .topicNameInvalid),
        Violation("empty topic without an alias", .server, .v5, "3003 0000 00", .protocolError),
        Violation("U+0000 in the topic (MQTT-1.5.4-2)", .server, .v3_1_1, "3003 0001 00"),
        Violation("surrogate in the topic (MQTT-1.5.4-1)", .server, .v3_1_1, "3005 0003 eda080"),
        Violation("overlong UTF-8 in the topic", .server, .v3_1_1, "3004 0002 c0af"),
        Violation("truncated UTF-8 in the topic", .server, .v3_1_1, "3004 0002 e4b8"),
        Violation("topic alias 0 (MQTT-3.3.2-8)", .server, .v5, "3007 0001 61 03 23 0000", .topicAliasInvalid),
        Violation("payload format 2", .server, .v5, "3006 0001 61 02 01 02", .protocolError),
        Violation("payload format twice", .server, .v5, "3008 0001 61 04 01 01 01 01", .protocolError),
        Violation(
            "wildcard in the response topic (MQTT-3.3.2-14)", .server, .v5, "3008 0001 61 04 08 0001 23", .protocolError
        ),
        Violation("subscription identifier from a client", .server, .v5, "3006 0001 61 02 0b 01", .protocolError),
        Violation("subscription identifier 0", .client, .v5, "3006 0001 61 02 0b 00", .protocolError),
        Violation("property of another packet", .client, .v5, "3007 0001 61 03 21 0001"),
        Violation("unknown property", .client, .v5, "3006 0001 61 02 7f 00"),
        Violation("property cut short", .client, .v5, "3006 0001 61 02 02 00"),
        Violation("property length not shortest", .client, .v5, "3005 0001 61 8000"),
    ]

    static let connection: [Violation] = [
        Violation(
            "protocol level 3", .server, nil, "100d 0004 4d515454 03 02 0000 0001 63", .unsupportedProtocolVersion),
        Violation(
            "protocol level 6", .server, nil, "100d 0004 4d515454 06 02 0000 0001 63", .unsupportedProtocolVersion),
        Violation(
            "protocol name MQIsdp", .server, nil, "100f 0006 4d5149736470 03 02 0000 0001 63",
            .unsupportedProtocolVersion),
        Violation("reserved flag (MQTT-3.1.2-3)", .server, nil, "100d 0004 4d515454 04 03 0000 0001 63"),
        Violation("will at QoS 3", .server, nil, "1013 0004 4d515454 04 1e 0000 0001 63 0001 77 0001 78"),
        Violation("will QoS without a will (MQTT-3.1.2-11)", .server, nil, "100d 0004 4d515454 04 0a 0000 0001 63"),
        Violation("will retain without a will", .server, nil, "100d 0004 4d515454 04 22 0000 0001 63"),
        Violation("password without user name in 3.1.1", .server, nil, "1010 0004 4d515454 04 42 0000 0001 63 0001 70"),
        Violation("user name missing", .server, nil, "100d 0004 4d515454 04 82 0000 0001 63"),
        Violation("bytes past the end", .server, nil, "100e 0004 4d515454 04 02 0000 0001 63 00"),
        Violation(
            "receive maximum 0", .server, nil, "1011 0004 4d515454 05 02 0000 03 21 0000 0001 63", .protocolError),
        Violation(
            "maximum packet size 0", .server, nil, "1013 0004 4d515454 05 02 0000 05 27 00000000 0001 63",
            .protocolError),
        Violation(
            "request problem information 2", .server, nil, "1010 0004 4d515454 05 02 0000 02 17 02 0001 63",
            .protocolError),
        Violation(
            "authentication data alone", .server, nil, "1012 0004 4d515454 05 02 0000 04 16 0001 61 0001 63",
            .protocolError),
        Violation(
            "will topic with a wildcard", .server, nil, "1013 0004 4d515454 04 06 0000 0001 63 0001 23 0001 78",
            .topicNameInvalid),
        Violation("acknowledge flags", .client, .v3_1_1, "2002 02 00"),
        Violation("return code 6", .client, .v3_1_1, "2002 00 06", .protocolError),
        Violation("session present in a refusal (MQTT-3.2.2-6)", .client, .v5, "2003 01 87 00", .protocolError),
        Violation("CONNACK with a code of others", .client, .v5, "2003 00 01 00", .protocolError),
        Violation("maximum QoS 2", .client, .v5, "2005 00 00 02 24 02", .protocolError),
        Violation("CONNACK without properties in 5.0", .client, .v5, "2002 00 00"),
        Violation(
            "session expiry from a server (MQTT-3.14.2-2)", .client, .v5, "e007 00 05 11 00000001", .protocolError),
        Violation("DISCONNECT with a code of others", .server, .v5, "e001 01", .protocolError),
        Violation("AUTH without a method", .server, .v5, "f002 18 00", .protocolError),
        Violation("AUTH with success to a server", .server, .v5, "f000", .protocolError),
    ]

    static let others: [Violation] = [
        Violation("PUBACK too short", .client, .v3_1_1, "4001 00"),
        Violation("PUBACK too long in 3.1.1", .client, .v3_1_1, "4003 0001 00"),
        Violation("PUBACK identifier 0", .client, .v5, "4002 0000", .protocolError),
        Violation("PUBACK with a code of others", .client, .v5, "4003 0001 92", .protocolError),
        Violation("PUBACK with an unknown code", .client, .v5, "4003 0001 ff", .protocolError),
        Violation("PUBREL with a code of others", .server, .v5, "6203 0001 87", .protocolError),
        Violation("reason string twice", .client, .v5, "400a 0001 00 06 1f0000 1f0000", .protocolError),
        Violation("SUBSCRIBE without filters (MQTT-3.8.3-2)", .server, .v5, "8203 0001 00", .protocolError),
        Violation("SUBSCRIBE identifier 0", .server, .v3_1_1, "8206 0000 0001 61 00", .protocolError),
        Violation("SUBSCRIBE with an empty filter", .server, .v3_1_1, "8205 0001 0000 00", .topicFilterInvalid),
        Violation("SUBSCRIBE without options", .server, .v3_1_1, "8205 0001 0001 61"),
        Violation("SUBSCRIBE reserved bits in 5.0", .server, .v5, "8207 0001 00 0001 61 40"),
        Violation("SUBSCRIBE reserved bits in 3.1.1", .server, .v3_1_1, "8206 0001 0001 61 04"),
        Violation("SUBSCRIBE at QoS 3", .server, .v5, "8207 0001 00 0001 61 03", .protocolError),
        Violation("SUBSCRIBE with retain handling 3", .server, .v5, "8207 0001 00 0001 61 30", .protocolError),
        Violation(
            "No Local on a shared subscription (MQTT-3.8.3-4)", .server, .v5,
            "8210 0001 00 000a 2473686172652f672f61 04", .protocolError),
        Violation("SUBSCRIBE with two identifiers", .server, .v5, "820b 0001 04 0b01 0b02 0001 61 00", .protocolError),
        Violation("SUBSCRIBE with identifier 0", .server, .v5, "8209 0001 02 0b00 0001 61 00", .protocolError),
        Violation("SUBACK without codes", .client, .v5, "9003 0001 00", .protocolError),
        Violation("SUBACK with code 3", .client, .v3_1_1, "9003 0001 03", .protocolError),
        Violation("SUBACK with 0x87 in 3.1.1", .client, .v3_1_1, "9003 0001 87", .protocolError),
        Violation("UNSUBSCRIBE without filters (MQTT-3.10.3-2)", .server, .v3_1_1, "a202 0001", .protocolError),
        Violation("UNSUBACK with a body in 3.1.1", .client, .v3_1_1, "b003 0001 00"),
        Violation("UNSUBACK without codes in 5.0", .client, .v5, "b003 0001 00", .protocolError),
    ]

    @Test(
        "A violation is an error with the reason code that the specification names",
        arguments: framing + publish + connection + others)
    func violation(_ violation: Violation) {
        let error = #expect(throws: MQTTXError.self) {
            try decoded([ByteBuffer(hex: violation.hex)], violation.role, violation.version)
        }
        #expect(error?.reasonCode == violation.reason, "\(String(describing: error))")
    }

    @Test("After a violation the decoder says the same again")
    func failsForGood() {
        var decoder = PacketDecoder(role: .server, version: .v5)
        decoder.append(ByteBuffer(hex: "0000"))
        #expect(throws: MQTTXError.self) { try decoder.next() }
        decoder.append(ByteBuffer(hex: "c000"))
        #expect(throws: MQTTXError.self) { try decoder.next() }
    }

    @Test("A CONNECT that is refused tells its version first")
    func versionOfRefused() {
        var decoder = PacketDecoder(role: .server, version: nil)
        decoder.append(ByteBuffer(hex: "1011 0004 4d515454 05 02 0000 03 21 0000 0001 63"))
        #expect(throws: MQTTXError.self) { try decoder.next() }
        #expect(decoder.version == .v5)
        var unknown = PacketDecoder(role: .server, version: nil)
        unknown.append(ByteBuffer(hex: "100d 0004 4d515454 06 02 0000 0001 63"))
        #expect(throws: MQTTXError.self) { try unknown.next() }
        #expect(unknown.version == nil)
        #expect(unknown.requestedProtocolLevel == 6)
    }

    @Test("3.1.1 does not ask for the shortest remaining length")
    func longRemainingLength() throws {
        #expect(try decoded([ByteBuffer(hex: "c08000")], .server, .v3_1_1) == [.pingreq])
    }

    @Test("A response topic seen before is still checked where it is a topic")
    func sharedResponseTopic() throws {
        let good = ByteBuffer(hex: "300a 0001 61 06 08 0003 612f62")
        let other = ByteBuffer(hex: "3006 0003 612f62 00")
        let topics = try decoded([good, other, good], .client, .v5).map { packet -> [String?] in
            if case .publish(let publish) = packet { [publish.topic, publish.properties.responseTopic] } else { [] }
        }
        #expect(topics == [["a", "a/b"], ["a/b", nil], ["a", "a/b"]])
        // A client bears a wildcard in the one, and nobody in the other.
        let wild = ByteBuffer(hex: "300a 0001 61 06 08 0003 612f23")
        #expect(try decoded([wild, wild], .client, .v5).count == 2)
        #expect(throws: MQTTXError.self) { try decoded([wild, ByteBuffer(hex: "3006 0003 612f23 00")], .client, .v5) }
    }

    @Test("Properties seen before are still checked for the packet they are in")
    func cachedProperties() throws {
        let good = ByteBuffer(hex: "3006 0001 61 02 01 01")
        #expect(try decoded([good, good, good], .client, .v5).count == 3)
        // The same bytes, but without a topic: payload format is no alias.
        #expect(throws: MQTTXError.self) { try decoded([good, ByteBuffer(hex: "3005 0000 02 01 01")], .client, .v5) }
    }
}
