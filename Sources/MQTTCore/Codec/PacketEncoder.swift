public import NIOCore

/// Writes packets.
///
/// Everything is checked and measured first, so that on an error nothing has been written. On MQTT 3.1.1 properties
/// and reason codes that it does not have are left out.
public struct PacketEncoder: Sendable {
    /// The version spoken.
    public let version: ProtocolVersion
    /// The largest packet that the receiver takes, in bytes with its header.
    public var maximumPacketSize: Int

    /// An encoder for one connection.
    ///
    /// - Parameters:
    ///   - version: What is spoken.
    ///   - maximumPacketSize: In bytes with the fixed header; by default the largest that MQTT knows.
    public init(version: ProtocolVersion, maximumPacketSize: Int = 268_435_460) {
        self.version = version
        self.maximumPacketSize = maximumPacketSize
    }

    /// Appends the packet to the buffer.
    ///
    /// - Throws: `MQTTXError` with code `.packetTooLarge` over ``maximumPacketSize``; `.invalidTopic` for a topic that is
    ///   none; `.invalidUTF8` for U+0000 in a string; `.encodingFailed` for any other value that the specification does not let through.
    public func encode(_ packet: Packet, into buffer: inout ByteBuffer) throws(MQTTXError) {
        switch packet {
        case .publish(let publish):
            try encodePublish(
                topic: publish.topic, payload: publish.payload, qos: publish.qos, retain: publish.retain,
                dup: publish.dup, packetID: publish.packetID, properties: publish.properties, topicAlias: nil,
                sendTopic: !publish.topic.isEmpty, into: &buffer)
        case .puback(let acknowledgement), .pubrec(let acknowledgement), .pubrel(let acknowledgement),
            .pubcomp(let acknowledgement):
            try encode(acknowledgement, as: packet.type, into: &buffer)
        case .connect(let connect): try encode(connect, into: &buffer)
        case .connack(let connack): try encode(connack, into: &buffer)
        case .subscribe(let subscribe): try encode(subscribe, into: &buffer)
        case .suback(let suback): try encode(suback, into: &buffer)
        case .unsubscribe(let unsubscribe): try encode(unsubscribe, into: &buffer)
        case .unsuback(let unsuback): try encode(unsuback, into: &buffer)
        case .pingreq, .pingresp: try write(packet.type, 0, into: &buffer) { _ in }
        case .disconnect(let disconnect): try encode(disconnect, into: &buffer)
        case .auth(let auth): try encode(auth, into: &buffer)
        }
    }

    /// Appends a packet of which all but the fixed header is `size` bytes, written by `body`.
    @inline(__always)
    func write(
        _ type: PacketType, _ size: Int, flags: UInt8 = 0, into buffer: inout ByteBuffer,
        _ body: (inout ByteWriter) -> Void
    ) throws(MQTTXError) {
        let packetSize = 1 + VariableByteInteger.size(of: size) + size
        guard size <= VariableByteInteger.maximum, packetSize <= maximumPacketSize else {
            throw .packetTooLarge(packetSize, limit: maximumPacketSize)
        }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: packetSize) { bytes in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(rebasing: bytes[..<packetSize]))
            writer.write(type.rawValue << 4 | flags | FixedHeader.requiredFlags(type))
            writer.writeVariableByteInteger(size)
            body(&writer)
            precondition(writer.offset == packetSize, "a packet is smaller than it was computed to be")
            return packetSize
        }
    }

    func check(packetID: UInt16) throws(MQTTXError) {
        guard packetID != 0 else { throw .notEncodable("packet identifier is 0") }
    }

    func check(_ reasonCode: ReasonCode, in type: PacketType) throws(MQTTXError) {
        guard reasonCode.isAllowed(in: type) else { throw .notEncodable("\(type) can't carry \(reasonCode)") }
    }
}

extension PacketEncoder {
    /// Appends a PUBLISH from its parts.
    ///
    /// - Parameters:
    ///   - topicAlias: Goes out instead of the alias in `properties`.
    ///   - sendTopic: False where the alias is established, so that it stands for the topic.
    package func encodePublish(
        topic: String, payload: ByteBuffer, qos: QoS, retain: Bool, dup: Bool, packetID: UInt16,
        properties: Properties, topicAlias: UInt16? = nil, sendTopic: Bool = true, into buffer: inout ByteBuffer
    ) throws(MQTTXError) {
        let isV5 = version == .v5
        let topicAlias = isV5 ? topicAlias : nil
        let hasID = qos != .atMostOnce
        if hasID { try check(packetID: packetID) }
        guard hasID || !dup else { throw .notEncodable("a message at QoS 0 can't be a duplicate") }
        // Without an alias there must be a topic, whatever the caller says.
        let sendsTopic = sendTopic || !(isV5 && (topicAlias ?? properties.topicAlias) != nil)
        var size = sendsTopic ? try EncodedSize.topicName(topic) : 2
        size += hasID ? 2 : 0
        let propertySize = isV5 ? try EncodedSize.properties(properties, .publish, topicAlias: topicAlias) : 0
        if isV5 { size += VariableByteInteger.size(of: propertySize) + propertySize }
        size += payload.readableBytes
        let flags = qos.rawValue << 1 | (retain ? 1 : 0) | (dup ? 0b1000 : 0)
        try write(.publish, size, flags: flags, into: &buffer) { writer in
            if sendsTopic { writer.writeString(topic) } else { writer.write(UInt16(0)) }
            if hasID { writer.write(packetID) }
            if isV5 { writer.writeProperties(properties, size: propertySize, topicAlias: topicAlias) }
            writer.write(payload)
        }
    }

    /// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP without properties, in its shortest form.
    package func encodeAcknowledgement(
        type: PacketType, packetID: UInt16, reasonCode: ReasonCode = .success, into buffer: inout ByteBuffer
    ) throws(MQTTXError) {
        try check(packetID: packetID)
        let first = UInt32(type.rawValue << 4 | FixedHeader.requiredFlags(type)) << 24
        if version == .v3_1_1 || reasonCode == .success {
            guard maximumPacketSize >= 4 else { throw .packetTooLarge(4, limit: maximumPacketSize) }
            buffer.writeInteger(first | 2 << 16 | UInt32(packetID))
        } else {
            try check(reasonCode, in: type)
            guard maximumPacketSize >= 5 else { throw .packetTooLarge(5, limit: maximumPacketSize) }
            buffer.writeMultipleIntegers(first | 3 << 16 | UInt32(packetID), reasonCode.rawValue)
        }
    }

    private func encode(
        _ acknowledgement: Acknowledgement, as type: PacketType, into buffer: inout ByteBuffer
    ) throws(MQTTXError) {
        guard version == .v5, !acknowledgement.properties.isEmpty else {
            return try encodeAcknowledgement(
                type: type, packetID: acknowledgement.packetID, reasonCode: acknowledgement.reasonCode, into: &buffer)
        }
        try check(packetID: acknowledgement.packetID)
        try check(acknowledgement.reasonCode, in: type)
        let propertySize = try EncodedSize.properties(acknowledgement.properties, .acknowledgement)
        let size = 3 + VariableByteInteger.size(of: propertySize) + propertySize
        try write(type, size, into: &buffer) { writer in
            writer.write(acknowledgement.packetID)
            writer.write(acknowledgement.reasonCode.rawValue)
            writer.writeProperties(acknowledgement.properties, size: propertySize)
        }
    }
}
