import NIOCore
import Testing

@testable import MQTTNetwork

@Suite("Buffers on loan", .timeLimit(.minutes(1)))
struct LentBuffersTests {
    private var buffers = LentBuffers(capacity: 10_000)

    /// Appends a buffer of so many bytes, which nobody else holds.
    private mutating func lend(_ capacity: Int) { buffers.append(ByteBufferAllocator().buffer(capacity: capacity)) }

    @Test("One is given once nobody else holds it, empty, and only once")
    mutating func held() {
        var message: ByteBuffer? = ByteBuffer(repeating: 7, count: 1024)
        buffers.append(message ?? ByteBuffer())
        #expect(buffers.take(1024) == nil)
        message = nil
        let taken = buffers.take(1024)
        #expect(taken?.readableBytes == 0 && taken?.storageCapacity == 1024)
        #expect(buffers.take(1024) == nil)
    }

    @Test("One that is too small, or more than twice as large as wanted, is let go of", arguments: [512, 4096])
    mutating func unsuitable(capacity: Int) {
        lend(capacity)
        #expect(buffers.take(1024) == nil)
        #expect(buffers.take(capacity) == nil)
    }

    @Test(
        "All together have no more memory than was said, and there are 16 at most",
        arguments: [512, 1024, 16_384])
    mutating func bounds(capacity: Int) {
        for _ in 0..<40 { lend(capacity) }
        var count = 0
        while buffers.take(capacity) != nil { count += 1 }
        #expect(count == min(16, 10_000 / capacity))
    }
}
