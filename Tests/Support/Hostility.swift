package import MQTTCore
package import NIOCore

/// Makes what no peer should send, and what it may but at another time.
package struct Hostility {
    private let encoder: PacketEncoder
    private let isV5: Bool
    private var random: SeededGenerator

    package init(_ version: ProtocolVersion, _ random: SeededGenerator) {
        encoder = PacketEncoder(version: version)
        isV5 = version == .v5
        self.random = random
    }

    /// Some packets, sound, damaged, cut short or none at all.
    package mutating func bytes() throws -> ByteBuffer {
        var bytes = ByteBuffer()
        for _ in 0..<number(1...10) {
            let start = bytes.writerIndex
            try encoder.encode(packet(), into: &bytes)
            switch number(0...5) {
            case 0:
                for _ in 0..<number(1...3) {
                    bytes.setInteger(UInt8(number(0...255)), at: number(start...(bytes.writerIndex - 1)))
                }
            case 1:
                bytes.moveWriterIndex(to: number(start...bytes.writerIndex))
            case 2:
                bytes.writeBytes((0..<number(1...20)).map { _ in UInt8(number(0...255)) })
            default:
                break
            }
        }
        return bytes
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func packet() -> Packet {
        let id = UInt16(number(0...3) == 0 ? number(1...65_535) : number(1...30))
        let codes: [ReasonCode] = isV5 ? [.success, .unspecifiedError, .packetIdentifierNotFound] : [.success]
        let acknowledgement = Acknowledgement(packetID: id, reasonCode: codes[number(0...(codes.count - 1))])
        switch number(0...16) {
        case 0: return .puback(Acknowledgement(packetID: id))
        case 1: return .pubrec(Acknowledgement(packetID: id))
        case 2: return .pubrel(acknowledgement.reasonCode == .unspecifiedError ? .init(packetID: id) : acknowledgement)
        case 3: return .pubcomp(Acknowledgement(packetID: id))
        case 4: return .suback(SubAck(packetID: id, reasonCodes: (0...number(0...3)).map { _ in .success }))
        case 5: return .unsuback(UnsubAck(packetID: id, reasonCodes: isV5 ? [.success] : []))
        case 6: return .connack(ConnAck(sessionPresent: number(0...1) == 0))
        case 7: return isV5 ? .auth(Auth(reasonCode: .continueAuthentication, properties: method)) : .pingresp
        case 8: return .pingreq
        case 9: return .subscribe(Subscribe(packetID: id, filters: [.init("a")]))
        case 10: return .unsubscribe(Unsubscribe(packetID: id, filters: ["a"]))
        case 11: return .connect(Connect(version: encoder.version, clientID: "hostile"))
        case 12: return .disconnect(Disconnect(reasonCode: isV5 ? .disconnectWithWill : .success))
        default: return .publish(publish(id))
        }
    }

    private var method: Properties { .with { $0.authenticationMethod = "M" } }

    private mutating func publish(_ id: UInt16) -> Publish {
        let qos = [QoS.atMostOnce, .atLeastOnce, .exactlyOnce][number(0...2)]
        var publish = Publish(
            topic: "a/\(number(0...9))", payload: ByteBuffer(repeating: 7, count: number(0...300)), qos: qos,
            packetID: qos == .atMostOnce ? 0 : id)
        guard isV5, number(0...3) == 0 else { return publish }
        publish.properties.topicAlias = UInt16(number(1...20))
        if number(0...1) == 0 { publish.topic = "" }
        return publish
    }
}
