import MQTTNetwork
import NIOCore
import Testing

@Suite("Memory to read into", .timeLimit(.minutes(1)))
struct ReadBuffersTests {
    private let buffers = ReadBuffers(largest: 256 * 1024)

    /// Reads so many bytes, as a channel does.
    private func read(_ count: Int) -> ByteBuffer {
        var allocator = buffers.allocator
        var buffer = allocator.buffer(allocator: ByteBufferAllocator())
        buffer.writeRepeatingByte(1, count: min(count, buffer.writableBytes))
        _ = allocator.record(actualReadBytes: buffer.readableBytes)
        buffers.giveBack(buffer)
        return buffer
    }

    private func address(_ buffer: ByteBuffer) -> UInt {
        buffer.withVeryUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    }

    @Test("It is used again once nobody holds it any more, and not before")
    func reuse() {
        for _ in 0..<20 { _ = read(.max) }
        var held: [ByteBuffer] = []
        for _ in 0..<3 { held.append(read(.max)) }
        let addresses = Set(held.map(address))
        #expect(addresses.count == 3)
        for _ in 0..<40 { #expect(!addresses.contains(address(read(.max)))) }
        held = []
        // What was let go of altogether would be theirs now.
        let others = (0..<8).map { _ in ByteBufferAllocator().buffer(capacity: 64 * 1024) }
        #expect(addresses.isDisjoint(with: others.map(address)))
        #expect((0..<16).contains { _ in addresses.contains(address(read(.max))) })
    }

    @Test("It is large where much comes in large packets, and goes where less comes")
    func sizes() {
        for _ in 0..<20 { _ = read(.max) }
        #expect(read(.max).readableBytes == 64 * 1024)
        buffers.noteRead(bytes: 64 * 1024, packets: 256)
        #expect(read(.max).readableBytes == 64 * 1024)
        buffers.noteRead(bytes: 64 * 1024, packets: 255)
        for _ in 0..<20 { _ = read(.max) }
        #expect(read(.max).readableBytes == 256 * 1024)
        for _ in 0..<40 { _ = read(100) }
        #expect(read(.max).readableBytes <= 1024)
    }
}
