import MQTTCore
import NIOCore
import TestSupport

extension ByteBuffer {
    /// A buffer from hexadecimal digits; blanks are ignored.
    init(hex: String) { self.init(bytes: [UInt8](hex: hex)) }

    var hex: String {
        readableBytesView.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

func encoded(_ packet: Packet, _ version: ProtocolVersion) throws -> ByteBuffer {
    var buffer = ByteBuffer()
    try PacketEncoder(version: version).encode(packet, into: &buffer)
    return buffer
}

/// All that a fresh decoder makes of the buffers.
func decoded(_ buffers: [ByteBuffer], _ role: Receiver, _ version: ProtocolVersion?) throws -> [Packet] {
    var decoder = PacketDecoder(role: role, version: version)
    var packets: [Packet] = []
    for buffer in buffers {
        decoder.append(buffer)
        while case .packet(let packet)? = try decoder.next() { packets.append(packet) }
    }
    return packets
}

extension Packet {
    /// Who takes this packet.
    var receiver: Receiver {
        switch type {
        case .connack, .suback, .unsuback, .pingresp: .client
        case .auth:
            if case .auth(let auth) = self, auth.reasonCode == .success { .client } else { .server }
        default: .server
        }
    }
}
