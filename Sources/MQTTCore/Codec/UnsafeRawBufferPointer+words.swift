extension UnsafeRawBufferPointer {
    /// Whether the bytes are the same, compared eight at a time.
    @inline(__always)
    func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        var offset = 0
        while offset + 8 <= count {
            guard
                loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    == other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            else { return false }
            offset += 8
        }
        while offset < count {
            guard self[offset] == other[offset] else { return false }
            offset += 1
        }
        return true
    }

    /// A hash for tables in which a collision costs nothing but time. Not for dictionaries that a peer may fill.
    @inline(__always)
    func quickHash() -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
        var offset = 0
        while offset + 8 <= count {
            hash = Self.mix(hash ^ loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < count {
            tail = tail << 8 | UInt64(self[offset])
            offset += 1
        }
        return Self.mix(hash ^ tail)
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value &* 0xD6E8_FEB8_6659_FD93
        return product ^ (product >> 32)
    }

    /// Whether one of three bytes is among these, eight looked at at a time.
    @inline(__always)
    func contains(_ first: UInt8, or second: UInt8, or third: UInt8) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var offset = 0
        while offset &+ 8 <= count {
            let word = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let (a, b, c) = (word ^ ones &* UInt64(first), word ^ ones &* UInt64(second), word ^ ones &* UInt64(third))
            // Not zero exactly if a byte of one of them is.
            let zeros = ((a &- ones) & ~a) | ((b &- ones) & ~b) | ((c &- ones) & ~c)
            if zeros & 0x8080_8080_8080_8080 != 0 { return true }
            offset &+= 8
        }
        while offset < count {
            let byte = self[offset]
            if byte == first || byte == second || byte == third { return true }
            offset &+= 1
        }
        return false
    }

    /// What kind of bytes there are, as far as strings are concerned.
    enum TextContent { case ascii, other, null }

    /// Looks for zeros and for bytes past ASCII, eight at a time.
    func textContent() -> TextContent {
        var all: UInt64 = 0
        var offset = 0
        while offset + 8 <= count {
            let word = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            // Not zero exactly if one of the eight bytes is zero.
            if (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0 { return .null }
            all |= word
            offset += 8
        }
        while offset < count {
            if self[offset] == 0 { return .null }
            all |= UInt64(self[offset])
            offset += 1
        }
        return all & 0x8080_8080_8080_8080 == 0 ? .ascii : .other
    }
}
