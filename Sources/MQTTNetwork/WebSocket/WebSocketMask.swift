import NIOCore

/// The key that a client's payload is XORed with, at its present position in the payload.
struct WebSocketMask: Equatable {
    private var key: (UInt8, UInt8, UInt8, UInt8)

    init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) { key = (first, second, third, fourth) }

    static func random() -> WebSocketMask {
        let bits = UInt32.random(in: .min ... .max)
        return WebSocketMask(
            UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: bits >> 8),
            UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 24))
    }

    static func == (lhs: Self, rhs: Self) -> Bool { lhs.key == rhs.key }

    var bytes: [UInt8] { [key.0, key.1, key.2, key.3] }

    /// Masks or unmasks all that is readable, and moves on by as much.
    mutating func apply(to buffer: inout ByteBuffer) {
        let count = buffer.readableBytes
        buffer.withUnsafeMutableReadableBytes { mask($0) }
        for _ in 0..<(count & 3) { key = (key.1, key.2, key.3, key.0) }
    }

    private func mask(_ bytes: UnsafeMutableRawBufferPointer) {
        let pattern = [key.0, key.1, key.2, key.3, key.0, key.1, key.2, key.3]
        let wide = pattern.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        var index = 0
        while index &+ 8 <= bytes.count {
            let masked = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ wide
            bytes.storeBytes(of: masked, toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < bytes.count {
            bytes[index] ^= pattern[index & 7]
            index &+= 1
        }
    }
}
