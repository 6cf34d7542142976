import MQTTCore
import NIOCore

/// Bytes that a writer appends to one after another.
///
/// Memory of its own: a `ByteBuffer` asks at each append whether it is the only one to hold its memory, which cost more than
/// the bytes of an envelope.
struct ByteSink: ~Copyable {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private var count = 0

    init(capacity: Int) {
        // With an alignment of its own the memory would come by a slower way.
        memory = .allocate(byteCount: capacity, alignment: 1)
        self.capacity = capacity
    }

    deinit { memory.deallocate() }

    /// What was appended.
    var bytes: ByteBuffer { ByteBuffer(bytes: UnsafeRawBufferPointer(start: memory, count: count)) }

    /// What was appended, and the text if there is one, both in one piece of memory.
    mutating func bytes(beside text: String?) -> (bytes: ByteBuffer, text: ByteBuffer?) {
        guard let text else { return (bytes, nil) }
        let count = count
        append(text)
        var both = bytes
        let first = both.readSlice(length: count) ?? ByteBuffer()
        return (first, both)
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        if count == capacity { grow(by: 1) }
        memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    /// In network byte order.
    @inline(__always)
    mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        withUnsafeBytes(of: value.bigEndian) { append($0) }
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        if capacity - count < bytes.count { grow(by: bytes.count) }
        (memory + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func append(_ text: String) {
        text.withBytes { append($0) }
    }

    mutating func append(_ buffer: ByteBuffer) { buffer.withUnsafeReadableBytes { append($0) } }

    @inline(never)
    private mutating func grow(by additional: Int) {
        capacity = max(capacity * 2, count + additional)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 1)
        larger.copyMemory(from: memory, byteCount: count)
        memory.deallocate()
        memory = larger
    }
}
