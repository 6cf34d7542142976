import NIOCore

/// Bytes that a writer appends to one after another.
///
/// Memory of its own: a `ByteBuffer` asks at each append whether it is the only one to hold its memory, which cost more than
/// the bytes of an envelope.
struct ByteSink: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private var count = 0

    init(capacity: Int) { memory = .allocate(byteCount: max(16, capacity), alignment: 16) }

    deinit { memory.deallocate() }

    /// What was appended.
    var bytes: ByteBuffer { ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: memory[..<count])) }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        if count == memory.count { grow(by: 1) }
        memory[count] = byte
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
        if memory.count - count < bytes.count { grow(by: bytes.count) }
        // There is room: memory is never empty.
        memory.baseAddress.unsafelyUnwrapped.advanced(by: count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func append(_ buffer: ByteBuffer) { buffer.withUnsafeReadableBytes { append($0) } }

    @inline(never)
    private mutating func grow(by additional: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(memory.count * 2, count + additional), alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<count]))
        memory.deallocate()
        memory = larger
    }
}
