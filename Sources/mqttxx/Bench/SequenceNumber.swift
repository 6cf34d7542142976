import Foundation
import MQTTX

/// The number that a payload begins with: `#`, seven digits for the stream, `:`, ten for the number in it, a space.
struct SequenceNumber: Equatable {
    static let length = 20
    static let largestStream = 9_999_999

    let stream: Int
    let number: Int

    init(stream: Int, number: Int) {
        self.stream = stream
        self.number = number
    }

    /// Nil if the payload does not begin with one.
    init?(_ payload: borrowing ByteBuffer) {
        let parts = payload.withUnsafeReadableBytes { bytes -> (Int, Int)? in
            guard bytes.count >= Self.length, bytes[0] == UInt8(ascii: "#"), bytes[8] == UInt8(ascii: ":"),
                let stream = Self.digits(bytes[1..<8]), let number = Self.digits(bytes[9..<19])
            else { return nil }
            return (stream, number)
        }
        guard let parts else { return nil }
        (stream, number) = parts
    }

    private static func digits(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        var value = 0
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// A payload of that size that begins with the number.
    func payload(size: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(max(size, Self.length))
        buffer.writeInteger(UInt8(ascii: "#"))
        Self.write(stream, digits: 7, to: &buffer)
        buffer.writeInteger(UInt8(ascii: ":"))
        Self.write(number, digits: 10, to: &buffer)
        buffer.writeInteger(UInt8(ascii: " "))
        buffer.writeRepeatingByte(UInt8(ascii: "x"), count: max(0, size - Self.length))
        return buffer
    }

    private static func write(_ value: Int, digits: Int, to buffer: inout ByteBuffer) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            buffer.writeInteger(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}
