import Synchronization

/// Identifiers of requests.
public enum RequestID {
    /// A new random identifier: a lowercase UUID of version 4 (RFC 9562, section 5.4).
    public static func make() -> String {
        let random = RandomPool.shared.withLock { $0.take() }
        let high = random.high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = random.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for (half, word) in [high, low].enumerated() {
                for nibble in 0..<16 {
                    if half == 0 ? nibble == 8 || nibble == 12 : nibble == 0 || nibble == 4 {
                        text[position] = UInt8(ascii: "-")
                        position += 1
                    }
                    text[position] = JSONText.hexDigit(UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * nibble)) & 0xF)
                    position += 1
                }
            }
            return position
        }
    }
}
