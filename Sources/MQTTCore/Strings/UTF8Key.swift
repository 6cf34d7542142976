/// A string compared by its bytes: MQTT normalizes nothing (MQTT-4.7.3-4), where Swift takes canonically equivalent strings
/// for equal.
///
/// Hashed once, with a seed of this process, which peers don't know.
package struct UTF8Key: Hashable, Sendable {
    package let string: String
    /// Spread over all its bits.
    package let hash: UInt64

    private static let seed = UInt64.random(in: .min ... .max)

    package init(_ string: String) {
        hash = string.withBytes { Self.hash($0) }
        self.string = string
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    package static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.hash == rhs.hash && lhs.string.hasSameBytes(as: rhs.string)
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state = seed
        var offset = 0
        while offset + 8 <= bytes.count {
            state = mix(state ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        return mix(mix(state ^ rest) ^ UInt64(truncatingIfNeeded: bytes.count))
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let (high, low) = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return (high ^ low) &+ (seed &<< 1 | 1)
    }
}
