import Synchronization

/// Identifiers of requests.
public enum RequestID {
    /// A new random identifier: a lowercase UUID of version 4 (RFC 9562, section 5.4).
    public static func make() -> String {
        let random = RandomPool.shared.withLock { $0.take() }
        let high = random.high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = random.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { text in
            let text = UnsafeMutableRawBufferPointer(text)
            // Groups of 8, 4, 4, 4 and 12 digits.
            let (first, second) = (digits(UInt32(high >> 32)), digits(UInt32(truncatingIfNeeded: high)))
            let (third, fourth) = (digits(UInt32(low >> 32)), digits(UInt32(truncatingIfNeeded: low)))
            store(first, 0, text)
            store(UInt32(second >> 32), 9, text)
            store(UInt32(truncatingIfNeeded: second), 14, text)
            store(UInt32(third >> 32), 19, text)
            store(UInt32(truncatingIfNeeded: third), 24, text)
            store(fourth, 28, text)
            for dash in [8, 13, 18, 23] { text[dash] = UInt8(ascii: "-") }
            return 36
        }
    }

    private static func store(_ word: some FixedWidthInteger, _ offset: Int, _ text: UnsafeMutableRawBufferPointer) {
        text.storeBytes(of: word.bigEndian, toByteOffset: offset, as: type(of: word))
    }

    /// The eight hexadecimal digits of a word, all at once; the first is the most significant byte.
    private static func digits(_ word: UInt32) -> UInt64 {
        var nibbles = UInt64(word)
        nibbles = (nibbles & 0xFFFF_0000) << 16 | nibbles & 0xFFFF
        nibbles = (nibbles & 0x0000_FF00_0000_FF00) << 8 | nibbles & 0x0000_00FF_0000_00FF
        nibbles = (nibbles & 0x00F0_00F0_00F0_00F0) << 4 | nibbles & 0x000F_000F_000F_000F
        // Nibbles above 9 carry into the bit above them when 6 is added.
        let letters = (nibbles &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* UInt64(UInt8(ascii: "a") - UInt8(ascii: "9") - 1)
    }
}
