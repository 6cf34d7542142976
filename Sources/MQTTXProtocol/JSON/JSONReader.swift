import MQTTCore
import NIOCore

/// Reads JSON from UTF-8 bytes that outlive it. What the bytes hold can make it throw, never trap.
struct JSONReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var index = 0
    private var depth = 0
    /// Whether a NaN or an infinity was passed over, which may be read but never written.
    private(set) var passedNonFinite = false

    /// - Throws: ``ErrorCode/invalidUTF8`` when the bytes are not UTF-8; nothing later checks that again.
    init(_ bytes: UnsafeRawBufferPointer) throws(MQTTXError) {
        if let offset = UTF8Check.firstViolation(in: bytes) {
            throw MQTTXError(.invalidUTF8, "not UTF-8 at offset \(offset)")
        }
        self.bytes = bytes
    }

    static func value(of buffer: ByteBuffer) throws(MQTTXError) -> JSONValue {
        try buffer.withUnsafeReadableBytes { (bytes) throws(MQTTXError) in
            var reader = try JSONReader(bytes)
            let value = try reader.value()
            try reader.end()
            return value
        }
    }

    mutating func value() throws(MQTTXError) -> JSONValue {
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "N"):
            try literal("NaN")
            return .double(.nan)
        case UInt8(ascii: "I"):
            try literal("Infinity")
            return .double(.infinity)
        default: return try number()
        }
    }

    /// Reads past one value without building it, and checks that it is one.
    mutating func skipValue() throws(MQTTXError) {
        skipSpace()
        switch current {
        case UInt8(ascii: "{"):
            try descend()
            try elements(until: UInt8(ascii: "}")) { (reader) throws(MQTTXError) in
                try reader.skipString()
                try reader.colon()
                try reader.skipValue()
            }
            depth -= 1
        case UInt8(ascii: "["):
            try descend()
            try elements(until: UInt8(ascii: "]")) { (reader) throws(MQTTXError) in try reader.skipValue() }
            depth -= 1
        case UInt8(ascii: "\""): try skipString()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case UInt8(ascii: "N"):
            try literal("NaN")
            passedNonFinite = true
        case UInt8(ascii: "I"):
            try literal("Infinity")
            passedNonFinite = true
        default: _ = try scanNumber()
        }
    }

    /// Only white space may follow.
    mutating func end() throws(MQTTXError) {
        skipSpace()
        guard index == bytes.count else { throw unexpected("text after the value") }
    }

    /// The next byte that counts; 0, which no JSON token starts with, at the end.
    @inline(__always)
    var current: UInt8 { index < bytes.count ? bytes[index] : 0 }

    @inline(__always)
    mutating func skipSpace() {
        while index < bytes.count {
            let byte = bytes[index]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            index &+= 1
        }
    }

    /// Takes the byte if it comes next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index &+= 1
        return true
    }

    @inline(__always)
    mutating func colon() throws(MQTTXError) {
        skipSpace()
        guard take(UInt8(ascii: ":")) else { throw unexpected("no colon after a key") }
        skipSpace()
    }

    func unexpected(_ what: String) -> MQTTXError {
        index < bytes.count
            ? MQTTXError(.invalidJSON, "not JSON: \(what) at offset \(index)")
            : MQTTXError(.invalidJSON, "not JSON: it ends early, at offset \(bytes.count)")
    }

    private mutating func literal(_ text: StaticString) throws(MQTTXError) {
        let count = text.utf8CodeUnitCount
        guard bytes.count - index >= count else { throw unexpected("an unknown word") }
        for offset in 0..<count where bytes[index + offset] != text.utf8Start[offset] {
            throw unexpected("an unknown word")
        }
        index += count
    }

    private mutating func object() throws(MQTTXError) -> JSONObject {
        try descend()
        var object = JSONObject()
        try elements(until: UInt8(ascii: "}")) { (reader) throws(MQTTXError) in
            let key = try reader.key()
            object[key] = try reader.value()
        }
        depth -= 1
        return object
    }

    private mutating func array() throws(MQTTXError) -> [JSONValue] {
        try descend()
        var array: [JSONValue] = []
        try elements(until: UInt8(ascii: "]")) { (reader) throws(MQTTXError) in array.append(try reader.value()) }
        depth -= 1
        return array
    }

    private mutating func key() throws(MQTTXError) -> String {
        let key = try string()
        try colon()
        return key
    }

    /// The elements of an array or object, whose opening bracket comes next.
    @inline(__always)
    private mutating func elements(
        until close: UInt8, _ element: (inout JSONReader) throws(MQTTXError) -> Void
    ) throws(MQTTXError) {
        index += 1
        skipSpace()
        if take(close) { return }
        while true {
            skipSpace()
            try element(&self)
            skipSpace()
            if take(close) { return }
            guard take(UInt8(ascii: ",")) else { throw unexpected("neither a comma nor a closing bracket") }
        }
    }

    /// Bounds the recursion, and with it the stack.
    mutating func descend() throws(MQTTXError) {
        depth += 1
        guard depth <= JSONValue.maximumDepth else {
            throw MQTTXError(
                .invalidJSON, "nested deeper than \(JSONValue.maximumDepth) levels at offset \(index)")
        }
    }
}

extension JSONReader {
    mutating func string() throws(MQTTXError) -> String {
        let (range, escaped) = try scanString()
        let raw = UnsafeRawBufferPointer(rebasing: bytes[range])
        return escaped ? try unescape(range) : String(decoding: raw, as: UTF8.self)
    }

    mutating func skipString() throws(MQTTXError) {
        let (range, escaped) = try scanString()
        if escaped { try checkEscapes(range) }
    }

    /// The bytes between the quotes, still escaped, and whether any escape is among them.
    mutating func scanString() throws(MQTTXError) -> (Range<Int>, escaped: Bool) {
        guard take(UInt8(ascii: "\"")) else { throw unexpected("no string where one must be") }
        let start = index
        var escaped = false
        while true {
            index = JSONText.endOfPlain(bytes, from: index)
            let byte = current
            if byte == UInt8(ascii: "\"") {
                index &+= 1
                return (Range(uncheckedBounds: (start, index &- 1)), escaped)
            }
            guard byte == UInt8(ascii: "\\"), index &+ 1 < bytes.count else {
                throw unexpected("a control character in a string")
            }
            escaped = true
            index &+= 2
        }
    }

    private func checkEscapes(_ range: Range<Int>) throws(MQTTXError) {
        var position = range.lowerBound
        while position < range.upperBound {
            if bytes[position] != UInt8(ascii: "\\") {
                position += 1
            } else if bytes[position + 1] == UInt8(ascii: "u") {
                _ = try codeUnit(at: position, in: range)
                position += 6
            } else {
                _ = try simpleEscape(at: position)
                position += 2
            }
        }
    }

    private func unescape(_ range: Range<Int>) throws(MQTTXError) -> String {
        var utf8: [UInt8] = []
        utf8.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let byte = bytes[position]
            if byte != UInt8(ascii: "\\") {
                utf8.append(byte)
                position += 1
            } else if bytes[position + 1] == UInt8(ascii: "u") {
                let scalar = try scalar(at: &position, in: range)
                utf8.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
            } else {
                utf8.append(try simpleEscape(at: position))
                position += 2
            }
        }
        return String(decoding: utf8, as: UTF8.self)
    }

    private func simpleEscape(at position: Int) throws(MQTTXError) -> UInt8 {
        switch bytes[position + 1] {
        case UInt8(ascii: "\""): UInt8(ascii: "\"")
        case UInt8(ascii: "\\"): UInt8(ascii: "\\")
        case UInt8(ascii: "/"): UInt8(ascii: "/")
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: throw MQTTXError(.invalidJSON, "not JSON: an unknown escape at offset \(position)")
        }
    }

    /// The scalar that one `\u` escape, or a surrogate pair of two, stands for. A lone surrogate, which Python writes
    /// and no UTF-8 can hold, becomes U+FFFD.
    private func scalar(at position: inout Int, in range: Range<Int>) throws(MQTTXError) -> Unicode.Scalar {
        let first = try codeUnit(at: position, in: range)
        position += 6
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, position + 6 <= range.upperBound, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let second = try codeUnit(at: position, in: range)
        guard (0xDC00...0xDFFF).contains(second) else { return "\u{FFFD}" }
        position += 6
        return Unicode.Scalar(0x10000 + (UInt32(first - 0xD800) << 10 | UInt32(second - 0xDC00))) ?? "\u{FFFD}"
    }

    private func codeUnit(at position: Int, in range: Range<Int>) throws(MQTTXError) -> UInt16 {
        var unit: UInt16 = 0
        for offset in 2..<6 {
            guard position + offset < range.upperBound, let digit = JSONText.hexValue(bytes[position + offset]) else {
                throw MQTTXError(.invalidJSON, "not JSON: a broken \\u escape at offset \(position)")
            }
            unit = unit << 4 | digit
        }
        return unit
    }
}

extension JSONReader {
    private mutating func number() throws(MQTTXError) -> JSONValue {
        let (range, isInteger) = try scanNumber()
        if isInteger, let value = smallInteger(range) { return .int(value) }
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        if isInteger { return Int64(text).map { .int($0) } ?? .bigInt(text) }
        if text == "-Infinity" { return .double(-.infinity) }
        guard let value = Double(text) else { throw unexpected("a number that is none") }
        return .double(value)
    }

    /// Up to 18 digits can't overflow.
    private func smallInteger(_ range: Range<Int>) -> Int64? {
        guard range.count <= 18 else { return nil }
        var magnitude: Int64 = 0
        let negative = bytes[range.lowerBound] == UInt8(ascii: "-")
        for index in range.lowerBound + (negative ? 1 : 0)..<range.upperBound {
            magnitude = magnitude &* 10 &+ Int64(bytes[index] &- UInt8(ascii: "0"))
        }
        return negative ? -magnitude : magnitude
    }

    mutating func scanNumber() throws(MQTTXError) -> (Range<Int>, isInteger: Bool) {
        let start = index
        if take(UInt8(ascii: "-")), current == UInt8(ascii: "I") {
            try literal("Infinity")
            passedNonFinite = true
            return (start..<index, false)
        }
        if !take(UInt8(ascii: "0")) { try digits() }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return (start..<index, isInteger)
    }

    private mutating func digits() throws(MQTTXError) {
        guard JSONText.isDigit(current) else { throw unexpected("no value where one must be") }
        while JSONText.isDigit(current) { index &+= 1 }
    }
}
