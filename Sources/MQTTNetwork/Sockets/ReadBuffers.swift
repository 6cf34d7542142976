import DequeModule
package import NIOCore

/// The memory that a connection reads into: small where little comes, large where much comes, and used again once nobody
/// holds a message of it any more. New memory costs more than what is read into it.
///
/// The channel's own pool has room for the reads of one turn; messages are held for longer, by the workers that handle them.
/// All members belong to the event loop, hence unchecked.
package final class ReadBuffers: @unchecked Sendable {
    /// What the channel is given: it asks for memory before each read and says afterwards how much came.
    package struct Allocator: RecvByteBufferAllocator {
        let buffers: ReadBuffers

        package func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { buffers.next(allocator) }

        /// Always true: else the channel would use the buffer again that it has.
        package mutating func record(actualReadBytes: Int) -> Bool {
            _ = buffers.sizes.record(actualReadBytes: actualReadBytes)
            return true
        }
    }

    /// Beyond this much, small messages come no faster, and leave the processor's cache before they are handled.
    private static let largestForSmall = 64 * 1024
    private static let largestCount = 16
    /// How many are looked at before new memory is taken.
    private static let glances = 4

    /// Packets of more bytes than that are large: of such, a thousand fill the largest buffer.
    private static let large = 256

    /// Whether large packets came last.
    @exclusivity(unchecked)
    private var packetsAreLarge = false

    @exclusivity(unchecked)
    private var sizes: AdaptiveRecvByteBufferAllocator
    /// Oldest first.
    @exclusivity(unchecked)
    private var lent = Deque<ByteBuffer>()
    /// Reads whose buffers the channel keeps itself.
    @exclusivity(unchecked)
    private var kept = Int(SocketOptions.readsPerTurn)

    /// - Parameter largest: of one buffer, in bytes; up to 16 are kept until less comes.
    package init(largest: Int) {
        sizes = AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: largest)
    }

    /// For the channel.
    package var allocator: Allocator { Allocator(buffers: self) }

    /// A buffer that was read into comes back, to be used again when it is free.
    package func giveBack(_ buffer: ByteBuffer) {
        guard kept == 0 else { return kept -= 1 }
        if lent.count == Self.largestCount { lent.removeFirst() }
        lent.append(buffer)
    }

    /// What a read brought.
    package func noteRead(bytes: Int, packets: Int) { packetsAreLarge = bytes > Self.large * packets }

    private var size: Int {
        let size = sizes.nextBufferSize() ?? 2048
        return packetsAreLarge ? size : min(size, Self.largestForSmall)
    }

    private func next(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        let size = size
        for _ in 0..<min(lent.count, Self.glances) {
            var buffer = lent.removeFirst()
            // What has become too small or too large goes: a message counts with all the memory that it holds.
            guard (size...2 * size).contains(buffer.storageCapacity) else { continue }
            if buffer.modifyIfUniquelyOwned({ $0.clear() }) != nil { return buffer }
            lent.append(buffer)
        }
        return allocator.buffer(capacity: size)
    }
}
