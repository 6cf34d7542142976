import DequeModule
import MQTTCore
import NIOCore

/// Packets of a connection that has to wait, in their order: while its client is authenticated, or while it is held back
/// because a subscriber does not keep up.
///
/// Reading goes on up to a limit, since what follows may be acknowledgements, and those are what the waiting is for.
struct ParkedPackets {
    /// Above this many bytes nothing more is read.
    static let limit = 256 * 1024

    private var packets = Deque<(packet: DecodedPacket, size: Int)>()
    private(set) var bytes = 0
    /// PUBLISH of QoS 1 and 2 among them: they count against Receive Maximum.
    private(set) var acknowledgeable = 0

    var isEmpty: Bool { packets.isEmpty }
    var isFull: Bool { bytes > Self.limit }

    mutating func append(_ packet: DecodedPacket) {
        let size = packet.parkedSize
        bytes += size
        if packet.qos > .atMostOnce { acknowledgeable += 1 }
        packets.append((packet, size))
    }

    mutating func popFirst() -> DecodedPacket? {
        guard let (packet, size) = packets.popFirst() else { return nil }
        bytes -= size
        if packet.qos > .atMostOnce { acknowledgeable -= 1 }
        return packet
    }
}

extension DecodedPacket {
    /// What it keeps in memory, roughly; small messages keep a piece of a read buffer.
    fileprivate var parkedSize: Int {
        guard case .packet(.publish(let publish)) = self else { return 512 }
        return 256 + publish.topic.utf8.count + publish.payload.readableBytes
    }

    /// The QoS of a PUBLISH.
    var qos: QoS {
        switch self {
        case .packet(.publish(let publish)): publish.qos
        case .skippedPublish(let publish): publish.qos
        case .packet: .atMostOnce
        }
    }
}
