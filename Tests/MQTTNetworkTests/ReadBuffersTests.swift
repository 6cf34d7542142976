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
        buffers.giveBack(buffer, beginning: nil)
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

    /// Reads so many bytes, of which the last so many are the beginning of a packet.
    private func readBrokenOff(_ count: Int, beginning length: Int, of needed: Int) -> ByteBuffer {
        var buffer = next()
        fill(&buffer, count)
        var beginning = buffer
        beginning.moveReaderIndex(to: beginning.writerIndex - length)
        buffers.giveBack(buffer, beginning: (beginning, needed))
        return buffer
    }

    private func next() -> ByteBuffer {
        let allocator = buffers.allocator
        return allocator.buffer(allocator: ByteBufferAllocator())
    }

    private func fill(_ buffer: inout ByteBuffer, _ count: Int) {
        var allocator = buffers.allocator
        for index in 0..<min(count, buffer.writableBytes) { buffer.writeInteger(UInt8(truncatingIfNeeded: index)) }
        _ = allocator.record(actualReadBytes: count)
    }

    @Test(
        "The beginning of a packet is at the front of the next buffer, and stays there when nothing can be read into it"
    )
    func beginnings() {
        for _ in 0..<20 { _ = read(.max) }
        let last = readBrokenOff(1_000, beginning: 300, of: 5_000)
        for _ in 0..<3 {
            let buffer = next()
            #expect(buffer.getBytes(at: 0, length: buffer.readableBytes) == last.getBytes(at: 700, length: 300))
        }
        var buffer = next()
        fill(&buffer, 10)
        buffers.giveBack(buffer, beginning: nil)
        #expect(next().readableBytes == 0)
        #expect(!buffers.hasLostBytes)
    }

    @Test("What lies alone in its memory is read on there, and is not copied for each read")
    func fillingUp() {
        for _ in 0..<20 { _ = read(.max) }
        let place = address(readBrokenOff(40, beginning: 40, of: 1_000))
        for count in 1...100 {
            var buffer = next()
            #expect(buffer.readableBytes == 39 + count)
            buffer.writeInteger(UInt8(1))
            _ = {
                var allocator = buffers.allocator; return allocator.record(actualReadBytes: 1)
            }()
            #expect(address(buffer) == place)
            buffers.giveBack(buffer, beginning: (buffer, 1_000))
        }
        #expect(!buffers.hasLostBytes)
        // A read that fails there would lose what is there.
        _ = next()
        _ = next()
        #expect(buffers.hasLostBytes)
    }

    @Test("A large packet has memory for itself, with room for little more; it is used again, and goes when none come")
    func largePackets() {
        for _ in 0..<20 { _ = read(.max) }
        let needed = 1_000_000
        func readLarge() -> ByteBuffer {
            _ = readBrokenOff(1_000, beginning: 100, of: needed)
            var buffer = next()
            #expect((needed...needed + 8_192).contains(buffer.capacity))
            fill(&buffer, needed - 100)
            buffers.giveBack(buffer, beginning: nil)
            return buffer
        }
        var held = [readLarge(), readLarge()]
        let addresses = Set(held.map(address))
        #expect(addresses.count == 2)
        #expect(!addresses.contains(address(readLarge())))
        held = []
        #expect((0..<4).contains { _ in addresses.contains(address(readLarge())) })
        // As long as it is kept, it is not this test's alone.
        var last = readLarge()
        for _ in 0..<40 { _ = read(100) }
        #expect(last.modifyIfUniquelyOwned { $0.clear() } == nil)
        for _ in 0..<40 { _ = read(100) }
        #expect(last.modifyIfUniquelyOwned { $0.clear() } != nil)
        // Of what a peer says that it will send, memory is taken as it comes.
        _ = readBrokenOff(1_000, beginning: 100, of: 200 << 20)
        #expect(next().capacity <= 5 << 20)
    }
}
