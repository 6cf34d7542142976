package import NIOCore

/// The memory that a connection reads into: small where little comes, large where much comes, and used again once nobody
/// holds a message of it any more. New memory costs more than what is read into it.
///
/// A packet that a read breaks off in is not put together elsewhere: the next read goes on behind its bytes, in memory that they
/// are copied to, and a packet that is large has that memory for itself.
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
            buffers.record(actualReadBytes)
            return true
        }
    }

    /// The buffer that the channel was given last.
    private struct Given {
        /// The bytes of a beginning at its front, and the room behind them.
        var carried = 0
        var room = 0
        /// Whether it was made for that packet.
        var isForPacket = false
        /// Whether it is the memory of the beginning itself, which is nowhere else then.
        var isBeginning = false
    }

    /// Beyond this much, small messages come no faster, and leave the processor's cache before they are handled.
    private static let largestForSmall = 64 * 1024
    /// Packets of more bytes than that are large: of such, a thousand fill the largest buffer.
    private static let large = 256
    /// Above this much, memory for a packet is taken only in proportion to what has come of it.
    private static let largestReservation = 4 << 20
    /// What is read behind a large packet: at least so much, in all a multiple of the granule, so that what one packet had suits
    /// others of about its size.
    private static let lookAhead = 512
    private static let granule = 4096
    /// So many reads without a packet that had memory for itself, and that memory goes.
    private static let readsToForget = 64

    /// Whether large packets came last.
    @exclusivity(unchecked)
    private var packetsAreLarge = false
    @exclusivity(unchecked)
    private var sizes: AdaptiveRecvByteBufferAllocator
    @exclusivity(unchecked)
    private var lent: LentBuffers
    /// Those with one large packet each.
    @exclusivity(unchecked)
    private var lentToPackets: LentBuffers
    @exclusivity(unchecked)
    private var readsSincePacket = 0
    /// Reads whose buffers the channel keeps itself.
    @exclusivity(unchecked)
    private var kept = Int(SocketOptions.readsPerTurn)

    /// The packet that the last read broke off in: its first bytes, and how many it has at least.
    @exclusivity(unchecked)
    private var beginning: (bytes: ByteBuffer, needed: Int)?
    @exclusivity(unchecked)
    private var given = Given()
    /// Whether the channel did not read into a buffer that bytes were in already, and so threw them away. It does not,
    /// as long as sockets of which it hears that they are readable are.
    @exclusivity(unchecked)
    package private(set) var hasLostBytes = false

    /// - Parameter largest: of one buffer, in bytes, but for packets that are larger; as much as 16 of them have is kept until
    ///   less comes.
    package init(largest: Int) {
        sizes = AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: largest)
        lent = LentBuffers(capacity: 16 * largest)
        lentToPackets = LentBuffers(capacity: 16 * largest)
    }

    /// For the channel.
    package var allocator: Allocator { Allocator(buffers: self) }

    /// A buffer that was read into comes back, to be used again when it is free.
    ///
    /// - Parameter beginning: the packet that the read broke off in, the last of the buffer's bytes, and how many bytes it has, or
    ///   has to have before more can be said.
    package func giveBack(_ buffer: consuming ByteBuffer, beginning: (bytes: ByteBuffer, needed: Int)?) {
        if let beginning {
            self.beginning = beginning
            if goesOnInPlace(beginning) { return }
        }
        guard kept == 0 else { return kept -= 1 }
        if given.isForPacket {
            lentToPackets.append(buffer)
            readsSincePacket = 0
        } else {
            lent.append(buffer)
            readsSincePacket += 1
            if readsSincePacket == Self.readsToForget { lentToPackets.removeAll() }
        }
    }

    /// Whether the next read goes on in the memory where the packet lies: nothing else is there, and there is room.
    private func goesOnInPlace(_ beginning: (bytes: ByteBuffer, needed: Int)) -> Bool {
        beginning.bytes.readerIndex == 0 && beginning.bytes.writableBytes > 0
            && (given.isForPacket || beginning.needed <= beginning.bytes.capacity)
    }

    private func record(_ count: Int) {
        beginning = nil
        given.isBeginning = false
        if !given.isForPacket {
            _ = sizes.record(actualReadBytes: given.carried + count)
        } else if count == given.room, let size = sizes.nextBufferSize() {
            // There may have been more.
            _ = sizes.record(actualReadBytes: size)
        }
    }

    /// What a read brought.
    package func noteRead(bytes: Int, packets: Int) { packetsAreLarge = bytes > Self.large * packets }

    private var size: Int {
        let size = sizes.nextBufferSize() ?? 2048
        return packetsAreLarge ? size : min(size, Self.largestForSmall)
    }

    private func next(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        if given.isBeginning { hasLostBytes = true }
        let size = size
        guard let beginning else {
            given = Given(room: size)
            return lent.take(size) ?? allocator.buffer(capacity: size)
        }
        let (bytes, needed) = beginning
        if goesOnInPlace(beginning) {
            // Referred to once, so that it is not copied when it is written to.
            self.beginning = nil
            given = Given(
                carried: bytes.readableBytes, room: bytes.writableBytes, isForPacket: given.isForPacket,
                isBeginning: true)
            return bytes
        }
        if needed <= size / 2 {
            var buffer = lent.take(size) ?? allocator.buffer(capacity: size)
            buffer.writeImmutableBuffer(bytes)
            given = Given(carried: bytes.readableBytes, room: buffer.writableBytes)
            return buffer
        }
        let length = Self.length(for: needed, present: bytes.readableBytes)
        var buffer = lentToPackets.take(length) ?? allocator.buffer(capacity: length)
        buffer.moveWriterIndex(to: length)
        // A slice is filled no further; clearing it would make it whole again.
        if let exact = buffer.getSlice(at: 0, length: length) { buffer = exact }
        buffer.moveWriterIndex(to: 0)
        buffer.writeImmutableBuffer(bytes)
        given = Given(carried: bytes.readableBytes, room: buffer.writableBytes, isForPacket: true)
        return buffer
    }

    /// Room for the packet, and for a little behind it: so much of the next one, when that is as large, is copied and no more.
    private static func length(for needed: Int, present: Int) -> Int {
        let packet = min(needed, max(largestReservation, 4 * present))
        return (packet + lookAhead + granule - 1) / granule * granule
    }
}
