public import NIOCore

/// Reads packets from the bytes of a connection as they come in.
///
/// Append each read buffer, then call ``next()`` until it returns nil. Payloads are slices of the buffers. Only a packet
/// that spans several buffers is copied, once, into a buffer of its own.
///
/// What the peer does wrong is thrown as ``MQTTXError`` with the reason code that the specification names. After that the
/// bytes have no meaning any more: close the connection.
public struct PacketDecoder: Sendable {
    /// The version spoken. Nil only for a server until the CONNECT has arrived, which sets it.
    public var version: ProtocolVersion? {
        get { parser.version }
        set { parser.version = newValue }
    }

    /// The protocol level that a CONNECT asked for, whether it is spoken here or not; nil before, and for a protocol
    /// name other than `MQTT`.
    ///
    /// With it a server knows how to say no: CONNACK 0x01 in the form of 3.1.1 below 5, and 0x84 in that of 5.0 from 5.
    public var requestedProtocolLevel: UInt8? { parser.requestedProtocolLevel }

    /// The largest packet taken, in bytes with its header.
    public var maximumPacketSize: Int
    /// The largest PUBLISH payload taken; larger ones are passed over. Nil sets no limit but that on the packet.
    public var maximumPayloadSize: Int?

    private var parser: PacketParser
    /// The buffer being read.
    private var current = ByteBuffer()
    /// Buffers that came before `current` was used up, oldest first from `queueHead`.
    private var queue: [ByteBuffer] = []
    private var queueHead = 0
    /// The packet that began in a buffer used up since.
    private var assembly = ByteBuffer()
    private var isAssembling = false
    /// The PUBLISH whose payload is being passed over, and how many bytes of it are still to come.
    private var skipped: SkippedPublish?
    private var bytesToSkip = 0
    private var failure: MQTTXError?

    /// Bytes kept of a packet that began in a buffer used up since.
    package var partialBytes: Int { assembly.readableBytes }

    /// A decoder for one connection.
    ///
    /// - Parameters:
    ///   - role: Who is reading.
    ///   - version: What is spoken. Nil lets a server take it from the CONNECT; a client then speaks 5.0.
    ///   - maximumPacketSize: In bytes with the fixed header. A larger packet is an error (0x95) as soon as its header is there.
    ///   - maximumPayloadSize: In bytes. A PUBLISH with a larger payload is passed over without keeping it, and reported as
    ///     ``DecodedPacket/skippedPublish(_:)``. On 3.1.1, where a client can't announce a maximum packet size, this holds for
    ///     packets over `maximumPacketSize` too.
    public init(
        role: Receiver, version: ProtocolVersion?, maximumPacketSize: Int = 268_435_460,
        maximumPayloadSize: Int? = nil
    ) {
        parser = PacketParser(role: role, version: role == .client ? version ?? .v5 : version)
        self.maximumPacketSize = maximumPacketSize
        self.maximumPayloadSize = maximumPayloadSize
    }

    /// Takes the next bytes of the connection.
    public mutating func append(_ buffer: ByteBuffer) {
        guard buffer.readableBytes > 0 else { return }
        if current.readableBytes == 0 && queueHead == queue.count {
            current = buffer
        } else {
            queue.append(buffer)
        }
    }

    /// Takes out the beginning of a packet that is not whole yet, when ``next()`` has returned nil: for a caller that appends it again
    /// with more behind it. What is left to the decoder, it puts together itself.
    ///
    /// - Returns: the bytes, and how many the packet has, or has to have before more can be said.
    package mutating func takeBeginning() -> (bytes: ByteBuffer, needed: Int)? {
        guard failure == nil, !isAssembling, bytesToSkip == 0, queueHead == queue.count, current.readableBytes > 0,
            case .incomplete(let needed)? = try? frame(of: current)
        else { return nil }
        defer { current = ByteBuffer() }
        return (current, needed)
    }

    /// The next packet if it is a PUBLISH within all limits that lies whole in one buffer: the usual case, in one step.
    /// Nil says nothing more than that it isn't; ask ``next()`` then.
    package mutating func nextPublish() throws(MQTTXError) -> Publish? {
        guard failure == nil, !isAssembling, bytesToSkip == 0 else { return nil }
        var size = 0
        defer { if size > 0 { current.moveReaderIndex(forwardBy: size) } }
        do throws(MQTTXError) {
            return try current.withUnsafeReadableBytes { (bytes) throws(MQTTXError) -> Publish? in
                guard let first = bytes.first, first >> 4 == PacketType.publish.rawValue,
                    let header = try FixedHeader.read(bytes), isWithinLimits(header, bytes.count)
                else { return nil }
                size = header.packetSize
                return try parser.parsePublish(header, bytes, slicing: current)
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// The next packet, or nil when more bytes are needed.
    public mutating func next() throws(MQTTXError) -> DecodedPacket? {
        if let failure { throw failure }
        do {
            if let packet = try takeWhole() { return .packet(packet) }
            while true {
                if let skipped {
                    guard skip() else { return nil }
                    self.skipped = nil
                    return .skippedPublish(skipped)
                }
                switch try frame() {
                case .packet(let header):
                    return .packet(try take(header))
                case .oversized(let header, let headLength):
                    try beginSkipping(header, headLength)
                case .incomplete(let needed):
                    guard gather(needed) else { return nil }
                }
            }
        } catch {
            failure = error
            throw error
        }
    }
}

extension PacketDecoder {
    /// What the bytes at hand are the beginning of.
    private enum Frame {
        /// The whole packet is there.
        case packet(FixedHeader)
        /// A PUBLISH to pass over, of which the first `headLength` bytes, all but the payload, are there.
        case oversized(FixedHeader, headLength: Int)
        /// Nothing can be said before there are `needed` bytes.
        case incomplete(needed: Int)
    }

    /// The usual case in one step: a packet within all limits that is wholly in the current buffer.
    @inline(__always)
    private mutating func takeWhole() throws(MQTTXError) -> Packet? {
        guard !isAssembling, bytesToSkip == 0 else { return nil }
        var size = 0
        let packet = try current.withUnsafeReadableBytes { (bytes) throws(MQTTXError) -> Packet? in
            guard let header = try FixedHeader.read(bytes) else { return nil }
            size = header.packetSize
            guard isWithinLimits(header, bytes.count) else { return nil }
            return try parser.parse(header, bytes, slicing: current)
        }
        if packet != nil { current.moveReaderIndex(forwardBy: size) }
        return packet
    }

    /// Whether the packet is all there and can't be over a limit.
    @inline(__always)
    private func isWithinLimits(_ header: FixedHeader, _ available: Int) -> Bool {
        header.packetSize <= available && header.packetSize <= maximumPacketSize
            && header.remainingLength <= maximumPayloadSize ?? .max
    }

    private func frame() throws(MQTTXError) -> Frame {
        if isAssembling { return try frame(of: assembly) }
        return try frame(of: current)
    }

    @inline(__always)
    private func frame(of buffer: borrowing ByteBuffer) throws(MQTTXError) -> Frame {
        try buffer.withUnsafeReadableBytes { (bytes) throws(MQTTXError) -> Frame in
            guard let header = try FixedHeader.read(bytes) else { return .incomplete(needed: bytes.count + 1) }
            // No packet that is within both limits needs a closer look.
            if header.packetSize > maximumPacketSize || header.remainingLength > maximumPayloadSize ?? .max {
                if let frame = try oversizedFrame(header, bytes) { return frame }
            }
            guard header.packetSize <= bytes.count else { return .incomplete(needed: header.packetSize) }
            return .packet(header)
        }
    }

    /// The frame of a packet that may be over a limit; nil when it isn't after all.
    @inline(never)
    private func oversizedFrame(_ header: FixedHeader, _ bytes: UnsafeRawBufferPointer) throws(MQTTXError) -> Frame? {
        try parser.checkType(header)
        let isTooLarge = header.packetSize > maximumPacketSize
        guard header.type == .publish, let limit = maximumPayloadSize, version == .v3_1_1 || !isTooLarge else {
            if isTooLarge { throw .packetTooLarge(header.packetSize, limit: maximumPacketSize) }
            return nil
        }
        switch try parser.publishHead(header, bytes) {
        case .incomplete(let needed):
            return .incomplete(needed: min(needed, header.packetSize))
        case .complete(let headLength) where header.packetSize - headLength > limit:
            return bytes.count < headLength
                ? .incomplete(needed: headLength) : .oversized(header, headLength: headLength)
        case .complete:
            if isTooLarge { throw .packetTooLarge(header.packetSize, limit: maximumPacketSize) }
            return nil
        }
    }

    @inline(never)
    private mutating func take(_ header: FixedHeader) throws(MQTTXError) -> Packet {
        guard isAssembling else {
            let packet = try parser.parse(header, in: current)
            current.moveReaderIndex(forwardBy: header.packetSize)
            return packet
        }
        let packet = try parser.parse(header, in: assembly)
        assembly = ByteBuffer()
        isAssembling = false
        return packet
    }

    private mutating func beginSkipping(_ header: FixedHeader, _ headLength: Int) throws(MQTTXError) {
        let size = header.packetSize - headLength
        let publish = try parser.parsePublishHead(header, headLength: headLength, in: isAssembling ? assembly : current)
        skipped = SkippedPublish(
            topic: publish.topic, packetID: publish.packetID, qos: publish.qos, retain: publish.retain,
            properties: publish.properties, payloadSize: size)
        bytesToSkip = size
        if isAssembling {
            assembly = ByteBuffer()
            isAssembling = false
        } else {
            current.moveReaderIndex(forwardBy: headLength)
        }
    }

    /// Passes over payload bytes; true once all of them are gone.
    private mutating func skip() -> Bool {
        while true {
            let count = min(bytesToSkip, current.readableBytes)
            current.moveReaderIndex(forwardBy: count)
            bytesToSkip -= count
            if bytesToSkip == 0 { return true }
            guard takeQueued() else { return false }
        }
    }
}

extension PacketDecoder {
    /// Above this much, memory is reserved only in proportion to what the peer has sent.
    private static let largestReservation = 4 << 20

    /// Brings the bytes of the packet being read together until there are `needed`; false when they haven't come yet.
    @inline(never)
    private mutating func gather(_ needed: Int) -> Bool {
        if !isAssembling {
            guard current.readableBytes > 0 else { return takeQueued() }
            guard queueHead < queue.count else { return false }
            isAssembling = true
        }
        while assembly.readableBytes < needed {
            guard current.readableBytes > 0 || takeQueued() else { return false }
            let count = min(needed - assembly.readableBytes, current.readableBytes)
            let reservation = max(Self.largestReservation, 4 * (assembly.readableBytes + count))
            assembly.reserveCapacity(min(needed, reservation))
            current.withUnsafeReadableBytes { bytes in
                _ = assembly.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
            current.moveReaderIndex(forwardBy: count)
        }
        return true
    }

    private mutating func takeQueued() -> Bool {
        guard queueHead < queue.count else {
            current = ByteBuffer()
            return false
        }
        current = queue[queueHead]
        queue[queueHead] = ByteBuffer()
        queueHead += 1
        if queueHead == queue.count {
            queue.removeAll(keepingCapacity: true)
            queueHead = 0
        }
        return true
    }
}
