internal import NIOCore

/// Turns the bytes of one whole packet into its value, and checks all that the specification says about them.
struct PacketParser: Sendable {
    let role: Receiver
    var version: ProtocolVersion?
    var requestedProtocolLevel: UInt8?
    var topics = TopicCache()
    private var propertyCache = PropertyCache()

    init(role: Receiver, version: ProtocolVersion?) {
        self.role = role
        self.version = version
    }

    /// The packet at the buffer's reader index, which is all there.
    @inline(__always)
    mutating func parse(_ header: FixedHeader, in buffer: borrowing ByteBuffer) throws(MQTTXError) -> Packet {
        try buffer.withUnsafeReadableBytes { (bytes) throws(MQTTXError) -> Packet in
            try parse(header, bytes, slicing: buffer)
        }
    }

    /// The packet at the start of `bytes`, which are the readable ones of `buffer`.
    @inline(__always)
    mutating func parse(
        _ header: FixedHeader, _ bytes: UnsafeRawBufferPointer, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Packet {
        try checkType(header)
        var cursor = ByteCursor(bytes, in: header.length..<header.packetSize)
        switch header.type {
        case .publish: return .publish(try parsePayload(header, &cursor, slicing: buffer))
        case .puback: return .puback(try parseAcknowledgement(header.type, &cursor, slicing: buffer))
        case .pubrec: return .pubrec(try parseAcknowledgement(header.type, &cursor, slicing: buffer))
        case .pubrel: return .pubrel(try parseAcknowledgement(header.type, &cursor, slicing: buffer))
        case .pubcomp: return .pubcomp(try parseAcknowledgement(header.type, &cursor, slicing: buffer))
        default: return try parseRare(header, &cursor, slicing: buffer)
        }
    }

    /// The PUBLISH at the start of `bytes`, which are the readable ones of `buffer`.
    @inline(__always)
    mutating func parsePublish(
        _ header: FixedHeader, _ bytes: UnsafeRawBufferPointer, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Publish {
        try checkType(header)
        var cursor = ByteCursor(bytes, in: header.length..<header.packetSize)
        return try parsePayload(header, &cursor, slicing: buffer)
    }

    @inline(__always)
    private mutating func parsePayload(
        _ header: FixedHeader, _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Publish {
        try parsePublish(header, &cursor, slicing: buffer, takingPayload: true)
    }

    @inline(never)
    private mutating func parseRare(
        _ header: FixedHeader, _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Packet {
        let packet: Packet
        switch header.type {
        case .connect: packet = .connect(try parseConnect(header, &cursor, slicing: buffer))
        case .connack: packet = .connack(try parseConnAck(&cursor, slicing: buffer))
        case .subscribe: packet = .subscribe(try parseSubscribe(&cursor, slicing: buffer))
        case .suback: packet = .suback(try parseSubAck(&cursor, slicing: buffer))
        case .unsubscribe: packet = .unsubscribe(try parseUnsubscribe(&cursor, slicing: buffer))
        case .unsuback: packet = .unsuback(try parseUnsubAck(&cursor, slicing: buffer))
        case .pingreq: packet = .pingreq
        case .pingresp: packet = .pingresp
        case .disconnect: packet = .disconnect(try parseDisconnect(&cursor, slicing: buffer))
        case .auth: packet = .auth(try parseAuth(&cursor, slicing: buffer))
        case .publish, .puback, .pubrec, .pubrel, .pubcomp: throw .malformed("\(header.type) out of place")
        }
        try cursor.finish(header.type)
        return packet
    }

    /// Refuses packets that don't go this way, or not in this version.
    @inline(__always)
    func checkType(_ header: FixedHeader) throws(MQTTXError) {
        guard let version else {
            guard header.type == .connect else {
                throw .protocolError("the first packet is \(header.type), not CONNECT")
            }
            return
        }
        if version == .v5 && !header.isShortest { throw .malformed("remaining length is not in its shortest form") }
        switch header.type {
        case .publish, .puback, .pubrec, .pubrel, .pubcomp: return
        case .connect, .subscribe, .unsubscribe, .pingreq: if role == .server { return }
        case .connack, .suback, .unsuback, .pingresp: if role == .client { return }
        case .disconnect: if version == .v5 || role == .server { return }
        case .auth: if version == .v5 { return }
        }
        throw .protocolError("a \(role) on MQTT \(version) does not take \(header.type)")
    }
}

// MARK: PUBLISH

extension PacketParser {
    /// How far the bytes of a PUBLISH reach up to its payload.
    enum PublishHead {
        case incomplete(needed: Int)
        /// The length of all but the payload; that many bytes need not be there yet.
        case complete(Int)
    }

    /// Finds out where a PUBLISH's payload starts from as few bytes as possible.
    func publishHead(_ header: FixedHeader, _ bytes: UnsafeRawBufferPointer) throws(MQTTXError) -> PublishHead {
        var length = header.length + 2
        guard bytes.count >= min(length, header.packetSize) else { return .incomplete(needed: length) }
        var cursor = ByteCursor(bytes, in: header.length..<min(bytes.count, header.packetSize))
        length += Int(try cursor.readUInt16("topic name")) + (header.flags & 0b0110 == 0 ? 0 : 2)
        if version == .v5 {
            var integerLength = 0
            repeat {
                guard length + integerLength < header.packetSize else { throw .truncated("properties") }
                guard bytes.count > length + integerLength else {
                    return .incomplete(needed: length + integerLength + 1)
                }
                integerLength += 1
            } while bytes[length + integerLength - 1] >= 0x80 && integerLength < 4
            var integer = ByteCursor(bytes, in: length..<length + integerLength)
            length += integerLength + (try integer.readVariableByteInteger("property length"))
        }
        guard length <= header.packetSize else { throw .truncated("variable header") }
        return .complete(length)
    }

    /// A PUBLISH without its payload, from its first `headLength` bytes.
    mutating func parsePublishHead(
        _ header: FixedHeader, headLength: Int, in buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Publish {
        try buffer.withUnsafeReadableBytes { (bytes) throws(MQTTXError) -> Publish in
            var cursor = ByteCursor(bytes, in: header.length..<headLength)
            return try parsePublish(header, &cursor, slicing: buffer, takingPayload: false)
        }
    }

    /// A PUBLISH, all or but for the payload. The cursor is left before that.
    @inline(__always)
    private mutating func parsePublish(
        _ header: FixedHeader, _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer, takingPayload: Bool
    ) throws(MQTTXError) -> Publish {
        let flags = header.flags
        guard let qos = QoS(rawValue: flags >> 1 & 0b11) else { throw .malformed("PUBLISH has QoS 3") }
        let dup = flags & 0b1000 != 0
        guard !dup || qos != .atMostOnce else { throw .malformed("PUBLISH at QoS 0 has the DUP flag") }
        let topicRange = try cursor.readLengthPrefixed("topic name")
        let topic = try topics.topic(UnsafeRawBufferPointer(rebasing: cursor.bytes[topicRange]))
        let packetID = qos == .atMostOnce ? 0 : try cursor.readPacketID()
        var properties = Properties()
        if version == .v5 { properties = try parsePublishProperties(&cursor, slicing: buffer) }
        if topicRange.isEmpty { try checkEmptyTopic(properties) }
        let start = buffer.readerIndex + cursor.offset
        let payload = takingPayload && !cursor.isAtEnd ? buffer.getSlice(at: start, length: cursor.remaining) : nil
        return Publish(
            topic: topic, payload: payload ?? ByteBuffer(), qos: qos, retain: flags & 1 != 0, dup: dup,
            packetID: packetID, properties: properties)
    }

    @inline(__always)
    private mutating func parsePublishProperties(
        _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Properties {
        if cursor.offset < cursor.end, cursor.bytes[cursor.offset] == 0 {
            _ = try cursor.readUInt8("property length")
            return Properties()
        }
        if let known = propertyCache.properties(at: &cursor) { return known }
        let start = cursor.offset
        // Those who ask name the same few topics again and again. A client does not close its connection because a broker
        // passed on what it should have refused.
        let mustBeName = role == .server
        var properties = try cursor.readProperties(.publish, slicing: buffer) { (bytes) throws(MQTTXError) in
            try topics.responseTopic(bytes, mustBeName: mustBeName)
        }
        guard role == .client || !properties.hasSubscriptionIdentifiers else {
            throw .protocolError("a client's PUBLISH has a subscription identifier")
        }
        if role == .server { properties.section = section(start..<cursor.offset, of: buffer) }
        propertyCache.insert(properties, UnsafeRawBufferPointer(rebasing: cursor.bytes[start..<cursor.offset]))
        return properties
    }

    /// The bytes after the length that a section starts with.
    private func section(_ range: Range<Int>, of buffer: borrowing ByteBuffer) -> ByteBuffer? {
        var section = buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count)
        while let byte = section?.readInteger(as: UInt8.self), byte >= 0x80 {}
        return section
    }

    private func checkEmptyTopic(_ properties: Properties) throws(MQTTXError) {
        guard version == .v5 else { throw .invalidTopicName("topic name is empty") }
        guard properties.topicAlias != nil else {
            throw .protocolError("PUBLISH has neither topic name nor topic alias")
        }
    }
}

// MARK: PUBACK, PUBREC, PUBREL, PUBCOMP

extension PacketParser {
    @inline(__always)
    private func parseAcknowledgement(
        _ type: PacketType, _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Acknowledgement {
        let packetID = try cursor.readPacketID()
        if cursor.isAtEnd { return Acknowledgement(packetID: packetID) }
        return try parseLongAcknowledgement(type, packetID, &cursor, slicing: buffer)
    }

    @inline(never)
    private func parseLongAcknowledgement(
        _ type: PacketType, _ packetID: UInt16, _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Acknowledgement {
        var acknowledgement = Acknowledgement(packetID: packetID)
        if version == .v5 {
            acknowledgement.reasonCode = try cursor.readReasonCode(
                of: type, takesAnySuccess: role == .client && (type == .puback || type == .pubrec))
            if !cursor.isAtEnd {
                acknowledgement.properties = try cursor.readProperties(.acknowledgement, slicing: buffer)
            }
        }
        try cursor.finish(type)
        return acknowledgement
    }
}

extension ByteCursor {
    /// - Parameter takesAnySuccess: whether a code below 0x80, which says that all is well (section 2.4), is as good as
    ///   one of the packet's own: mochi-mqtt says in PUBACK and PUBREC at which QoS it took the message.
    mutating func readReasonCode(
        of type: PacketType, takesAnySuccess: Bool = false
    ) throws(MQTTXError) -> ReasonCode {
        let byte = try readUInt8("reason code")
        guard let code = ReasonCode(rawValue: byte), code.isAllowed(in: type) else {
            if takesAnySuccess, byte < 0x80 { return .success }
            throw .protocolError("\(type) has the reason code \(byte)")
        }
        return code
    }
}
