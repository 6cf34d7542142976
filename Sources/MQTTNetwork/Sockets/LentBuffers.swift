import DequeModule
import NIOCore

/// Buffers that messages hold, or held: oldest first.
struct LentBuffers {
    private static let largestCount = 16
    /// How many are looked at before new memory is taken.
    private static let glances = 4

    /// Of all together, in bytes.
    let capacity: Int
    private var buffers = Deque<ByteBuffer>()
    private var total = 0

    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ buffer: ByteBuffer) {
        total += buffer.storageCapacity
        buffers.append(buffer)
        while buffers.count > Self.largestCount || total > capacity { removeFirst() }
    }

    mutating func removeAll() {
        buffers = []
        total = 0
    }

    /// One with room for so many bytes that nobody holds any more.
    mutating func take(_ size: Int) -> ByteBuffer? {
        for _ in 0..<min(buffers.count, Self.glances) {
            guard var buffer = removeFirst() else { return nil }
            // What has become too small or too large goes: a message counts with all the memory that it holds.
            guard (size...2 * size).contains(buffer.storageCapacity) else { continue }
            if buffer.modifyIfUniquelyOwned({ $0.clear() }) != nil { return buffer }
            append(buffer)
        }
        return nil
    }

    @discardableResult
    private mutating func removeFirst() -> ByteBuffer? {
        guard let buffer = buffers.popFirst() else { return nil }
        total -= buffer.storageCapacity
        return buffer
    }
}
