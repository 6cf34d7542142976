import MQTTCore
import NIOCore
import TestSupport
import Testing

@Suite("Fields, by clause (sections 1.5, 2.1, 2.4)", .timeLimit(.minutes(2)))
struct FieldClauseTests {
    // MARK: Strings

    /// A packet with a string in one of its fields.
    struct Field: Sendable, CustomStringConvertible {
        let description: String
        let version: ProtocolVersion
        let packet: @Sendable (String) -> Packet

        init(_ description: String, _ version: ProtocolVersion = .v5, _ packet: @escaping @Sendable (String) -> Packet)
        {
            self.description = description
            self.version = version
            self.packet = packet
        }
    }

    private static func publish(_ set: (inout Properties) -> Void) -> Packet {
        .publish(Publish(topic: "t", payload: ByteBuffer(), properties: .with(set)))
    }

    private static func connack(_ set: (inout Properties) -> Void) -> Packet {
        .connack(ConnAck(reasonCode: .unspecifiedError, properties: .with(set)))
    }

    static let fields: [Field] =
        ProtocolVersion.allCases.flatMap { version in
            [
                Field("topic name \(version) (MQTT-3.3.2-1, MQTT311-3.3.2-1)", version) {
                    .publish(Publish(topic: $0, payload: ByteBuffer()))
                },
                Field("filter of SUBSCRIBE \(version) (MQTT-3.8.3-1, MQTT311-3.8.3-1)", version) {
                    .subscribe(Subscribe(packetID: 1, filters: [.init($0)]))
                },
                Field("filter of UNSUBSCRIBE \(version) (MQTT-3.10.3-1, MQTT311-3.10.3-1)", version) {
                    .unsubscribe(Unsubscribe(packetID: 1, filters: ["a", $0]))
                },
                Field("client identifier \(version) (MQTT-3.1.3-4, MQTT311-3.1.3-4)", version) {
                    .connect(Connect(version: version, clientID: $0))
                },
                Field("will topic \(version) (MQTT-3.1.3-11, MQTT311-3.1.3-10)", version) {
                    .connect(Connect(version: version, will: Will(topic: $0, payload: ByteBuffer())))
                },
                Field("user name \(version) (MQTT-3.1.3-12, MQTT311-3.1.3-11)", version) {
                    .connect(Connect(version: version, username: $0))
                },
            ]
        } + [
            Field("response topic (MQTT-3.3.2-13)") { text in publish { $0.responseTopic = text } },
            Field("content type (MQTT-3.3.2-19)") { text in publish { $0.contentType = text } },
            Field("user property's name (MQTT-1.5.7-1)") { text in
                publish { $0.userProperties = [UserProperty(text, "v")] }
            },
            Field("user property's value (MQTT-1.5.7-1)") { text in
                publish { $0.userProperties = [UserProperty("n", text)] }
            },
            Field("reason string") { text in connack { $0.reasonString = text } },
            Field("assigned client identifier") { text in connack { $0.assignedClientIdentifier = text } },
            Field("authentication method") { text in connack { $0.authenticationMethod = text } },
            Field("response information") { text in connack { $0.responseInformation = text } },
            Field("server reference") { text in connack { $0.serverReference = text } },
        ]

    /// Four bytes each, in place of the text `@@@@`.
    private static let illFormed: [[UInt8]] = [
        [0xED, 0xA0, 0x80, 0x41], [0xED, 0xBF, 0xBF, 0x41], [0xC0, 0xAF, 0x41, 0x41], [0xE0, 0x80, 0xAF, 0x41],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80, 0x41, 0x41, 0x41], [0x41, 0x41, 0x41, 0xC3],
        [0xFF, 0x41, 0x41, 0x41], [0x41, 0x00, 0x41, 0x41], [0x41, 0xC0, 0x80, 0x41],
    ]

    @Test(
        "A string that is no UTF-8 (MQTT-1.5.4-1, -2), or has U+0000 in it (MQTT311-1.5.3-1, -2), is malformed",
        arguments: fields)
    func strings(_ field: Field) throws {
        let packet = field.packet("@@@@")
        let good = Array(try encoded(packet, field.version).readableBytesView)
        let place = try #require(good.indices.first { good[$0...].starts(with: Array("@@@@".utf8)) })
        let version = packet.type == .connect ? nil : field.version
        #expect(try decoded([ByteBuffer(bytes: good)], packet.receiver, version).count == 1)
        for text in Self.illFormed {
            var bytes = good
            bytes.replaceSubrange(place..<place + 4, with: text)
            let error = #expect(throws: MQTTXError.self, "\(text)") {
                try decoded([ByteBuffer(bytes: bytes)], packet.receiver, version)
            }
            #expect(error?.reasonCode == .malformedPacket)
        }
    }

    @Test(
        "A string with U+0000 in it, or of more than 65,535 bytes, is not written [MQTT-1.5.4-2, MQTT311-1.5.3-2]",
        arguments: fields)
    func unwritable(_ field: Field) {
        for text in ["a\0b", String(repeating: "x", count: 65_536)] {
            #expect(throws: MQTTXError.self) { try encoded(field.packet(text), field.version) }
        }
    }

    @Test("U+FEFF is a character like others, at the start too [MQTT-1.5.4-3, MQTT311-1.5.3-3]", arguments: fields)
    func byteOrderMark(_ field: Field) throws {
        let packet = field.packet("\u{FEFF}a\u{FEFF}")
        let bytes = try encoded(packet, field.version)
        #expect(bytes.hex.contains("efbbbf61efbbbf"))
        #expect(try decoded([bytes], packet.receiver, packet.type == .connect ? nil : field.version) == [packet])
    }

    // MARK: Flags of the fixed header

    @Test(
        """
        Reserved flags of the fixed header are sent as they have to be [MQTT-2.1.3-1, MQTT-3.10.1-1, \
        MQTT311-2.2.2-1]
        """, arguments: ProtocolVersion.allCases)
    func sentFlags(version: ProtocolVersion) throws {
        var random = SeededGenerator.announced("fixed header flags \(version)")
        for type in PacketType.allCases where type != .publish && (version == .v5 || type != .auth) {
            let first = try encoded(random.packet(version, type), version).getInteger(at: 0, as: UInt8.self)
            let flags: UInt8 = [.pubrel, .subscribe, .unsubscribe].contains(type) ? 2 : 0
            #expect(first == type.rawValue << 4 | flags, "\(type)")
        }
    }

    @Test(
        "Other flags are malformed, in every packet but PUBLISH [MQTT-2.1.3-1, MQTT311-2.2.2-2]",
        arguments: [Receiver.client, .server])
    func receivedFlags(role: Receiver) {
        for version in ProtocolVersion.allCases {
            for type in PacketType.allCases where type != .publish {
                let allowed: UInt8 = [.pubrel, .subscribe, .unsubscribe].contains(type) ? 2 : 0
                for flags in 0...15 as ClosedRange<UInt8> where flags != allowed {
                    let bytes = ByteBuffer(bytes: [type.rawValue << 4 | flags, 2, 0, 1])
                    let error = #expect(throws: MQTTXError.self) { try decoded([bytes], role, version) }
                    #expect(error?.reasonCode == .malformedPacket, "\(type) \(flags)")
                }
            }
        }
    }

    // MARK: Reason codes

    private static let codes: [(PacketType, [UInt8])] = [
        (
            .connack,
            [0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97]
                + [0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F]
        ),
        (.puback, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
        (.pubrec, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
        (.pubrel, [0, 0x92]), (.pubcomp, [0, 0x92]),
        (.suback, [0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
        (.unsuback, [0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
        (
            .disconnect,
            [0, 4, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96]
                + [0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2]
        ),
        (.auth, [0, 0x18, 0x19]),
    ]

    private func packet(_ type: PacketType, _ code: ReasonCode) -> Packet? {
        let acknowledgement = Acknowledgement(packetID: 1, reasonCode: code)
        switch type {
        case .connack: return .connack(ConnAck(reasonCode: code))
        case .puback: return .puback(acknowledgement)
        case .pubrec: return .pubrec(acknowledgement)
        case .pubrel: return .pubrel(acknowledgement)
        case .pubcomp: return .pubcomp(acknowledgement)
        case .suback: return .suback(SubAck(packetID: 1, reasonCodes: [code]))
        case .unsuback: return .unsuback(UnsubAck(packetID: 1, reasonCodes: [code]))
        case .disconnect: return .disconnect(Disconnect(reasonCode: code))
        case .auth: return .auth(Auth(reasonCode: code, properties: .with { $0.authenticationMethod = "m" }))
        default: return nil
        }
    }

    /// The bytes of a packet with any code.
    private func bytes(_ type: PacketType, _ code: UInt8) -> [UInt8] {
        let flags: UInt8 = type == .pubrel ? 2 : 0
        let body: [UInt8] =
            switch type {
            case .connack: [0, code, 0]
            case .suback, .unsuback: [0, 1, 0, code]
            case .disconnect: [code]
            case .auth: [code, 4, 0x15, 0, 1, UInt8(ascii: "m")]
            default: [0, 1, code]
            }
        return [type.rawValue << 4 | flags, UInt8(body.count)] + body
    }

    @Test(
        """
        Each packet carries the reason codes of its own table, and no other is sent or taken, but for a broker's PUBACK \
        and PUBREC that say in any way that the message was taken [MQTT-3.2.2-8, \
        MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1, MQTT-3.9.3-2, MQTT-3.11.3-2, MQTT-3.14.2-1, \
        MQTT-3.15.2-1]
        """, arguments: codes)
    func reasonCodes(type: PacketType, allowed: [UInt8]) throws {
        for code in UInt8.min ... .max {
            if let known = ReasonCode(rawValue: code), let packet = packet(type, known) {
                let isWritten = (try? encoded(packet, .v5)) != nil
                #expect(isWritten == allowed.contains(code), "\(type) \(known)")
            }
            // AUTH goes both ways, but not with every code.
            let roles: [Receiver] =
                switch type {
                case .connack, .suback, .unsuback: [.client]
                case .auth: [code == 0 ? .client : .server]
                default: [.client, .server]
                }
            for role in roles {
                let isRead = (try? decoded([ByteBuffer(bytes: bytes(type, code))], role, .v5)) != nil
                let isTaken = role == .client && (type == .puback || type == .pubrec) && code < 0x80
                #expect(isRead == (isTaken || allowed.contains(code)), "\(type) \(code) to \(role)")
            }
        }
    }

    @Test("A SUBACK of 3.1.1 says 0x80 for every refusal, and no reserved code is sent or taken [MQTT311-3.9.3-2]")
    func subscriptionCodes() throws {
        for code in UInt8.min ... .max {
            let isRead = (try? decoded([ByteBuffer(bytes: [0x90, 3, 0, 1, code])], .client, .v3_1_1)) != nil
            #expect(isRead == [0, 1, 2, 0x80].contains(code), "\(code)")
            guard let known = ReasonCode(rawValue: code) else { continue }
            let bytes = try? encoded(.suback(SubAck(packetID: 1, reasonCodes: [known])), .v3_1_1)
            #expect((bytes?.getInteger(at: 4, as: UInt8.self) ?? 0x80) == (code < 3 ? code : 0x80), "\(known)")
        }
    }
}
