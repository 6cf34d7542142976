internal import NIOCore

/// PUBLISH properties seen lately by their bytes: a broker sends the same subscription identifier with every message, and
/// the same content type; sharing the value costs neither parsing nor allocation.
struct PropertyCache {
    private struct Slot {
        var bytes: [UInt8]
        var properties: Properties
    }

    private static let slotCount = 16
    private static let longestCached = 48

    private var slots: [Slot] = []

    /// The properties whose length and bytes start at the cursor, if they are known; the cursor then steps over them.
    @inline(__always)
    mutating func properties(at cursor: inout ByteCursor) -> Properties? {
        guard !slots.isEmpty, cursor.offset < cursor.end else { return nil }
        let length = 1 + Int(cursor.bytes[cursor.offset])
        guard length <= Self.longestCached, length <= cursor.remaining else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: cursor.bytes[cursor.offset..<cursor.offset + length])
        let index = Int(truncatingIfNeeded: bytes.quickHash()) & (Self.slotCount - 1)
        guard slots[index].bytes.withUnsafeBytes({ $0.isEqual(to: bytes) }) else { return nil }
        cursor.skip(length)
        return slots[index].properties
    }

    /// Remembers properties by their length and bytes, in memory of their own, unless they are long or hardly come again.
    mutating func insert(_ properties: Properties, _ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= Self.longestCached, !properties.hasCorrelationData else { return }
        if slots.isEmpty { slots = Array(repeating: Slot(bytes: [], properties: .init()), count: Self.slotCount) }
        let index = Int(truncatingIfNeeded: bytes.quickHash()) & (Self.slotCount - 1)
        slots[index] = Slot(bytes: Array(bytes), properties: properties.unshared())
    }
}
