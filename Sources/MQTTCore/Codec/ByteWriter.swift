internal import NIOCore

/// A writing position in memory that was reserved for one packet, whose size is known.
struct ByteWriter {
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    @inline(__always)
    private mutating func advance(_ count: Int) -> Int {
        precondition(count <= bytes.count - offset, "a packet is larger than it was computed to be")
        defer { offset += count }
        return offset
    }

    @inline(__always)
    mutating func write(_ value: UInt8) {
        bytes.storeBytes(of: value, toByteOffset: advance(1), as: UInt8.self)
    }

    @inline(__always)
    mutating func write(_ value: UInt16) {
        bytes.storeBytes(of: value.bigEndian, toByteOffset: advance(2), as: UInt16.self)
    }

    @inline(__always)
    mutating func write(_ value: UInt32) {
        bytes.storeBytes(of: value.bigEndian, toByteOffset: advance(4), as: UInt32.self)
    }

    @inline(__always)
    mutating func writeVariableByteInteger(_ value: Int) {
        var rest = value
        while rest >= 0x80 {
            write(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        write(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func write(_ source: UnsafeRawBufferPointer) {
        let start = advance(source.count)
        UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + source.count]).copyMemory(from: source)
    }

    /// The bytes alone.
    @inline(__always)
    mutating func write(_ buffer: borrowing ByteBuffer) {
        guard buffer.readableBytes > 0 else { return }
        buffer.withUnsafeReadableBytes { write($0) }
    }

    /// A UTF-8 encoded string (section 1.5.4); its length was checked when the size was computed.
    @inline(__always)
    mutating func writeString(_ string: String) {
        string.withBytes {
            write(UInt16(truncatingIfNeeded: $0.count))
            write($0)
        }
    }

    /// Binary data (section 1.5.6).
    mutating func writeBinary(_ buffer: borrowing ByteBuffer) {
        write(UInt16(truncatingIfNeeded: buffer.readableBytes))
        write(buffer)
    }
}
