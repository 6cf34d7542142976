/// A reading position in the bytes of one packet; every read is checked against the packet's end.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    /// Where the next read starts.
    private(set) var offset: Int
    /// One past the last byte that may be read.
    let end: Int

    /// Reads `range` of `bytes`, which has to lie within it.
    init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    var remaining: Int { end - offset }
    var isAtEnd: Bool { offset == end }

    @inline(__always)
    mutating func readUInt8(_ what: StaticString) throws(MQTTXError) -> UInt8 {
        guard offset < end else { throw .truncated(what) }
        defer { offset += 1 }
        return bytes[offset]
    }

    @inline(__always)
    mutating func readUInt16(_ what: StaticString) throws(MQTTXError) -> UInt16 {
        guard remaining >= 2 else { throw .truncated(what) }
        defer { offset += 2 }
        return UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    mutating func readUInt32(_ what: StaticString) throws(MQTTXError) -> UInt32 {
        guard remaining >= 4 else { throw .truncated(what) }
        defer { offset += 4 }
        return UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// A variable byte integer in its shortest form (section 1.5.5, MQTT-1.5.5-1).
    mutating func readVariableByteInteger(_ what: StaticString) throws(MQTTXError) -> Int {
        var value = 0
        var shift = 0
        while true {
            let byte = try readUInt8(what)
            value |= Int(byte & 0x7F) << shift
            if byte < 0x80 {
                guard byte != 0 || shift == 0 else { throw .malformed("\(what) is not in its shortest form") }
                return value
            }
            shift += 7
            guard shift < 28 else { throw .malformed("\(what) is longer than four bytes") }
        }
    }

    /// A packet identifier, which is never 0 (MQTT-2.2.1-3).
    @inline(__always)
    mutating func readPacketID() throws(MQTTXError) -> UInt16 {
        let id = try readUInt16("packet identifier")
        guard id != 0 else { throw .protocolError("packet identifier is 0") }
        return id
    }

    /// The range of the bytes after a two-byte length.
    @inline(__always)
    mutating func readLengthPrefixed(_ what: StaticString) throws(MQTTXError) -> Range<Int> {
        let length = Int(try readUInt16(what))
        guard remaining >= length else { throw .truncated(what) }
        defer { offset += length }
        return offset..<offset + length
    }

    /// A UTF-8 encoded string (section 1.5.4).
    mutating func readString(_ what: StaticString) throws(MQTTXError) -> String {
        let range = try readLengthPrefixed(what)
        return try String(mqtt: UnsafeRawBufferPointer(rebasing: bytes[range]), what)
    }

    /// Steps over a UTF-8 encoded string, which is checked as ``readString(_:)`` checks it.
    mutating func checkString(_ what: StaticString) throws(MQTTXError) {
        let text = UnsafeRawBufferPointer(rebasing: bytes[try readLengthPrefixed(what)])
        switch text.textContent() {
        case .ascii: break
        case .null: throw .containsNull(what)
        case .other: _ = try String(mqtt: text, what)
        }
    }

    /// A cursor over the next `length` bytes, which this one steps over.
    mutating func split(_ length: Int, _ what: StaticString) throws(MQTTXError) -> ByteCursor {
        guard remaining >= length else { throw .truncated(what) }
        defer { offset += length }
        return ByteCursor(bytes, in: offset..<offset + length)
    }

    /// Steps over bytes that are known to be there.
    mutating func skip(_ count: Int) {
        precondition(count >= 0 && count <= remaining)
        offset += count
    }

    func finish(_ type: PacketType) throws(MQTTXError) {
        guard isAtEnd else { throw .malformed("\(type) has \(remaining) bytes past its end") }
    }
}

extension String {
    /// The string in these bytes, by MQTT's rules: well-formed UTF-8 without surrogates and without U+0000 (section 1.5.4).
    init(mqtt bytes: UnsafeRawBufferPointer, _ what: StaticString) throws(MQTTXError) {
        let content = bytes.textContent()
        guard content != .null else { throw .containsNull(what) }
        // Decoding mends what is not well-formed, so that the bytes are then other ones. Asking for validation instead
        // costs several look-ups of generic metadata in each call.
        let string = String(decoding: bytes.assumingMemoryBound(to: UInt8.self), as: UTF8.self)
        guard content == .ascii || string.withBytes({ $0.isEqual(to: bytes) }) else { throw .notUTF8(what) }
        self = string
    }
}
