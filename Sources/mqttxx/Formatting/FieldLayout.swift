import MQTTX

/// How a field of a format is laid out: `%-010.3t`. All counts are bytes, as in C.
struct FieldLayout: Sendable {
    var width = 0
    var precision: Int?
    var isLeft = false
    var isZero = false

    private static let most = 10_000

    /// Takes what stands between `%` and the letter: `-`, `0`, a width, and a precision after a point.
    init(_ rest: inout Substring) {
        isLeft = Self.take("-", &rest)
        isZero = Self.take("0", &rest)
        width = Self.number(&rest)
        if Self.take(".", &rest) { precision = Self.number(&rest) }
    }

    init() {}

    private static func take(_ character: Character, _ rest: inout Substring) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    private static func number(_ rest: inout Substring) -> Int {
        var number = 0
        while let digit = rest.first, let value = digit.wholeNumberValue, digit.isASCII {
            number = min(most, number * 10 + value)
            rest.removeFirst()
        }
        return number
    }

    /// Text is cut to the precision, and filled with spaces alone.
    func write(text: String, to result: inout ByteBuffer) {
        let utf8 = Array(text.utf8)
        fill(utf8[..<min(precision ?? utf8.count, utf8.count)], with: " ", &result)
    }

    /// A number that is missing is filled up like one that is there.
    func write(number: Int?, to result: inout ByteBuffer) {
        let digits = Array((number.map { "\($0)" } ?? "").utf8)
        fill(digits[...], with: isZero ? "0" : " ", &result)
    }

    /// A payload is cut to the width.
    func write(payload: ByteBuffer, to result: inout ByteBuffer) {
        let bytes = payload.readableBytesView
        fill(width > 0 ? bytes.prefix(width) : bytes, with: isZero ? "0" : " ", &result)
    }

    /// As many whole bytes as the width has room for.
    func write(hexadecimal payload: ByteBuffer, _ digits: String, to result: inout ByteBuffer) {
        let digits = Array(digits.utf8)
        let bytes = payload.readableBytesView.prefix(width > 0 ? min(payload.readableBytes, width) / 2 : .max)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        fill(text[...], with: isZero ? "0" : " ", &result)
    }

    /// On the right there is never anything but spaces.
    private func fill(_ bytes: some Collection<UInt8>, with character: Unicode.Scalar, _ result: inout ByteBuffer) {
        let missing = max(0, width - bytes.count)
        if !isLeft { result.writeRepeatingByte(UInt8(ascii: character), count: missing) }
        result.writeBytes(bytes)
        if isLeft { result.writeRepeatingByte(UInt8(ascii: " "), count: missing) }
    }
}
