import MQTTCore
import NIOCore

/// Reads MessagePack from bytes that outlive it. What the bytes hold can make it throw, never trap.
struct MessagePackReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var index = 0
    private var depth = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    static func value(of buffer: ByteBuffer) throws(MQTTXError) -> JSONValue {
        try buffer.withUnsafeReadableBytes { (bytes) throws(MQTTXError) in
            var reader = MessagePackReader(bytes)
            let value = try reader.value()
            try reader.end()
            return value
        }
    }

    mutating func value() throws(MQTTXError) -> JSONValue {
        switch try token() {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .signed(let value): return .int(value)
        case .unsigned(let value): return JSONValue(value)
        case .double(let value): return .double(value)
        case .text(let range): return .string(try text(range))
        case .binary(let range): return .binary([UInt8](bytes[range]))
        case .ext(let type, let range): return ext(type, range)
        case .array(let count): return .array(try array(count))
        case .map(let count): return .object(try map(count))
        }
    }

    /// Reads past one value without building it, and checks that it is one.
    mutating func skipValue() throws(MQTTXError) {
        switch try token() {
        case .array(let count):
            try descend()
            for _ in 0..<count { try skipValue() }
            depth -= 1
        case .map(let count):
            try descend()
            for _ in 0..<count {
                try skipValue()
                try skipValue()
            }
            depth -= 1
        case .text(let range): try check(range)
        default: break
        }
    }

    func end() throws(MQTTXError) {
        guard index == bytes.count else { throw malformed("bytes after the value") }
    }

    func malformed(_ what: String) -> MQTTXError {
        MQTTXError(.decodingFailed, "not MessagePack: \(what) at offset \(index)")
    }

    /// A map's key as text.
    mutating func key() throws(MQTTXError) -> String {
        switch try token() {
        case .text(let range), .binary(let range): return try text(range)
        case .signed(let value): return String(value)
        case .unsigned(let value): return String(value)
        default: throw malformed("a key that is neither text nor an integer")
        }
    }

    func check(_ range: Range<Int>) throws(MQTTXError) {
        if let offset = UTF8Check.firstViolation(in: UnsafeRawBufferPointer(rebasing: bytes[range])) {
            throw MQTTXError(.invalidUTF8, "not UTF-8 at offset \(range.lowerBound + offset)")
        }
    }

    func text(_ range: Range<Int>) throws(MQTTXError) -> String {
        try check(range)
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    /// Bounds the recursion, and with it the stack.
    mutating func descend() throws(MQTTXError) {
        depth += 1
        guard depth <= JSONValue.maximumDepth else {
            throw malformed("nested deeper than \(JSONValue.maximumDepth) levels")
        }
    }

    private mutating func array(_ count: Int) throws(MQTTXError) -> [JSONValue] {
        try descend()
        var array: [JSONValue] = []
        array.reserveCapacity(min(count, 64))
        for _ in 0..<count { array.append(try value()) }
        depth -= 1
        return array
    }

    private mutating func map(_ count: Int) throws(MQTTXError) -> JSONObject {
        try descend()
        var object = JSONObject()
        for _ in 0..<count {
            let key = try key()
            object[key] = try value()
        }
        depth -= 1
        return object
    }

    /// Type -1 is a timestamp: seconds, or nanoseconds and seconds in 64 bits (30 + 34) or 96 (32 + 64).
    private func ext(_ type: Int8, _ range: Range<Int>) -> JSONValue {
        guard type == -1 else { return ["ext": .int(Int64(type)), "data": .binary([UInt8](bytes[range]))] }
        func word<I: FixedWidthInteger>(_ offset: Int, _: I.Type) -> I {
            I(bigEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound + offset, as: I.self))
        }
        let seconds: Int64
        let nanoseconds: UInt32
        switch range.count {
        case 4: (seconds, nanoseconds) = (Int64(word(0, UInt32.self)), 0)
        case 8:
            let both = word(0, UInt64.self)
            (seconds, nanoseconds) = (Int64(both & 0x3_FFFF_FFFF), UInt32(both >> 34))
        case 12: (seconds, nanoseconds) = (word(4, Int64.self), word(0, UInt32.self))
        default: return ["ext": -1, "data": .binary([UInt8](bytes[range]))]
        }
        return nanoseconds == 0 ? .int(seconds) : .double(Double(seconds) + Double(nanoseconds) / 1e9)
    }
}

extension MessagePackReader {
    enum Token {
        case null
        case bool(Bool)
        case signed(Int64)
        case unsigned(UInt64)
        case double(Double)
        case text(Range<Int>)
        case binary(Range<Int>)
        case ext(Int8, Range<Int>)
        case array(Int)
        case map(Int)
    }

    /// The next value's head, with the extent of its bytes checked; elements of arrays and maps follow.
    mutating func token() throws(MQTTXError) -> Token {
        let tag = try integer(UInt8.self)
        switch tag {
        case 0x00...0x7F: return .signed(Int64(tag))
        case 0x80...0x8F: return .map(try fitting(Int(tag & 0x0F), bytesEach: 2))
        case 0x90...0x9F: return .array(try fitting(Int(tag & 0x0F), bytesEach: 1))
        case 0xA0...0xBF: return .text(try range(Int(tag & 0x1F)))
        case 0xC0: return .null
        case 0xC2: return .bool(false)
        case 0xC3: return .bool(true)
        case 0xC4: return .binary(try range(Int(try integer(UInt8.self))))
        case 0xC5: return .binary(try range(Int(try integer(UInt16.self))))
        case 0xC6: return .binary(try range(Int(try integer(UInt32.self))))
        case 0xC7: return try ext(Int(try integer(UInt8.self)))
        case 0xC8: return try ext(Int(try integer(UInt16.self)))
        case 0xC9: return try ext(Int(try integer(UInt32.self)))
        case 0xCA: return .double(Double(Float(bitPattern: try integer(UInt32.self))))
        case 0xCB: return .double(Double(bitPattern: try integer(UInt64.self)))
        case 0xCC: return .signed(Int64(try integer(UInt8.self)))
        case 0xCD: return .signed(Int64(try integer(UInt16.self)))
        case 0xCE: return .signed(Int64(try integer(UInt32.self)))
        case 0xCF: return .unsigned(try integer(UInt64.self))
        case 0xD0: return .signed(Int64(try integer(Int8.self)))
        case 0xD1: return .signed(Int64(try integer(Int16.self)))
        case 0xD2: return .signed(Int64(try integer(Int32.self)))
        case 0xD3: return .signed(try integer(Int64.self))
        case 0xD4...0xD8: return try ext(1 << Int(tag - 0xD4))
        case 0xD9: return .text(try range(Int(try integer(UInt8.self))))
        case 0xDA: return .text(try range(Int(try integer(UInt16.self))))
        case 0xDB: return .text(try range(Int(try integer(UInt32.self))))
        case 0xDC: return .array(try fitting(Int(try integer(UInt16.self)), bytesEach: 1))
        case 0xDD: return .array(try fitting(Int(try integer(UInt32.self)), bytesEach: 1))
        case 0xDE: return .map(try fitting(Int(try integer(UInt16.self)), bytesEach: 2))
        case 0xDF: return .map(try fitting(Int(try integer(UInt32.self)), bytesEach: 2))
        case 0xC1: throw malformed("the byte 0xC1, which is never used,")
        case 0xE0...0xFF: return .signed(Int64(Int8(bitPattern: tag)))
        default: throw malformed("an unknown tag")
        }
    }

    private mutating func integer<I: FixedWidthInteger>(_: I.Type) throws(MQTTXError) -> I {
        let size = MemoryLayout<I>.size
        guard bytes.count - index >= size else { throw malformed("it ends early") }
        defer { index += size }
        return I(bigEndian: bytes.loadUnaligned(fromByteOffset: index, as: I.self))
    }

    private mutating func range(_ count: Int) throws(MQTTXError) -> Range<Int> {
        guard bytes.count - index >= count else { throw malformed("a length beyond the end") }
        defer { index += count }
        return index..<index + count
    }

    private mutating func ext(_ count: Int) throws(MQTTXError) -> Token {
        let type = try integer(Int8.self)
        return .ext(type, try range(count))
    }

    /// A count whose elements can still come, since each takes a byte at least.
    private func fitting(_ count: Int, bytesEach: Int) throws(MQTTXError) -> Int {
        guard (bytes.count - index) / bytesEach >= count else { throw malformed("a count beyond the end") }
        return count
    }
}
