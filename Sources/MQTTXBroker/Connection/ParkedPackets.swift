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
    /// PUBLISH of QoS 2 among them.
    private(set) var exactlyOnce = 0

    var isEmpty: Bool { packets.isEmpty }
    var isFull: Bool { bytes > Self.limit }

    mutating func append(_ packet: DecodedPacket) {
        let size = packet.parkedSize
        bytes += size
        if packet.qos == .exactlyOnce { exactlyOnce += 1 }
        packets.append((packet, size))
    }

    mutating func popFirst() -> DecodedPacket? {
        guard let (packet, size) = packets.popFirst() else { return nil }
        bytes -= size
        if packet.qos == .exactlyOnce { exactlyOnce -= 1 }
        return packet
    }
}

extension DecodedPacket {
    /// What it keeps in memory, roughly; small messages keep a piece of a read buffer.
    fileprivate var parkedSize: Int {
        switch self {
        case .packet(.publish(let publish)):
            256 + publish.topic.utf8.count + publish.payload.readableBytes + publish.properties.parkedSize
        case .packet(.subscribe(let subscribe)):
            subscribe.filters.reduce(512 + subscribe.properties.parkedSize) { $0 + 64 + $1.filter.utf8.count }
        case .packet(.unsubscribe(let unsubscribe)):
            unsubscribe.filters.reduce(512 + unsubscribe.properties.parkedSize) { $0 + 64 + $1.utf8.count }
        case .packet(.disconnect(let disconnect)):
            512 + disconnect.properties.parkedSize
        case .packet(.puback(let acknowledgement)), .packet(.pubrec(let acknowledgement)),
            .packet(.pubrel(let acknowledgement)), .packet(.pubcomp(let acknowledgement)):
            512 + acknowledgement.properties.parkedSize
        case .skippedPublish(let publish):
            512 + publish.topic.utf8.count + publish.properties.parkedSize
        case .packet:
            512
        }
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

extension Properties {
    /// What those take that have no fixed size.
    fileprivate var parkedSize: Int {
        guard !isEmpty else { return 0 }
        let texts = (contentType?.utf8.count ?? 0) + (responseTopic?.utf8.count ?? 0)
        var size = 256 + texts + (correlationData?.readableBytes ?? 0)
        forEachUserProperty { size += 64 + $0.count + $1.count }
        return size
    }
}
