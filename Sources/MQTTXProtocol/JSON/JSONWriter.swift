import MQTTCore
import NIOCore

/// Writes compact JSON straight into a buffer.
struct JSONWriter {
    private(set) var buffer: ByteBuffer
    private let allowsNonFinite: Bool
    private var depth = 0
    private var needsComma = false

    init(capacity: Int = 128, allowsNonFinite: Bool = false) {
        buffer = ByteBuffer()
        buffer.reserveCapacity(capacity)
        self.allowsNonFinite = allowsNonFinite
    }

    mutating func value(_ value: JSONValue) throws(MQTTXError) {
        switch value {
        case .null: buffer.writeStaticString("null")
        case .bool(true): buffer.writeStaticString("true")
        case .bool(false): buffer.writeStaticString("false")
        case .int(let value): integer(value)
        case .double(let value): try double(value)
        case .bigInt(let digits): try bigInt(digits)
        case .string(let value): string(value)
        case .binary(let bytes): string(Base64.encode(bytes))
        case .array(let elements): try array(elements)
        case .object(let object): try self.object(object)
        }
    }

    mutating func string(_ string: String) {
        var string = string
        string.withUTF8 { utf8 in
            let plain = JSONText.plainPrefix(UnsafeRawBufferPointer(utf8))
            if plain == utf8.count {
                quoted(UnsafeRawBufferPointer(utf8))
            } else {
                escaped(UnsafeRawBufferPointer(utf8), plainPrefix: plain)
            }
        }
    }

    /// Bytes that are valid JSON already.
    mutating func spliced(_ json: ByteBuffer) { buffer.writeImmutableBuffer(json) }

    private mutating func integer(_ value: Int64) {
        if value >= 0, value < 10 {
            buffer.writeInteger(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
        } else {
            buffer.writeString(String(value))
        }
    }

    private mutating func double(_ value: Double) throws(MQTTXError) {
        if value.isFinite {
            buffer.writeString(value.description)
        } else if allowsNonFinite {
            buffer.writeString(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
        } else {
            throw MQTTXError(.encodingFailed, "JSON has no number for \(value); send null or a string instead")
        }
    }

    private mutating func bigInt(_ digits: String) throws(MQTTXError) {
        // The case is public, so its text may be anything.
        guard JSONText.isInteger(digits) else {
            throw MQTTXError(.encodingFailed, "bigInt holds something other than decimal digits")
        }
        buffer.writeString(digits)
    }

    private mutating func array(_ elements: [JSONValue]) throws(MQTTXError) {
        try descend()
        buffer.writeInteger(UInt8(ascii: "["))
        var first = true
        for element in elements {
            if !first { buffer.writeInteger(UInt8(ascii: ",")) }
            first = false
            try value(element)
        }
        buffer.writeInteger(UInt8(ascii: "]"))
        depth -= 1
    }

    private mutating func object(_ object: JSONObject) throws(MQTTXError) {
        try descend()
        buffer.writeInteger(UInt8(ascii: "{"))
        var first = true
        for entry in object {
            if !first { buffer.writeInteger(UInt8(ascii: ",")) }
            first = false
            string(entry.key)
            buffer.writeInteger(UInt8(ascii: ":"))
            try value(entry.value)
        }
        buffer.writeInteger(UInt8(ascii: "}"))
        depth -= 1
    }

    private mutating func descend() throws(MQTTXError) {
        depth += 1
        guard depth <= JSONValue.maximumDepth else {
            throw MQTTXError(.encodingFailed, "nested deeper than \(JSONValue.maximumDepth) levels")
        }
    }

    private mutating func quoted(_ utf8: UnsafeRawBufferPointer) {
        let length = utf8.count + 2
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            target[0] = UInt8(ascii: "\"")
            UnsafeMutableRawBufferPointer(rebasing: target[1..<length - 1]).copyMemory(from: utf8)
            target[length - 1] = UInt8(ascii: "\"")
            return length
        }
    }

    private mutating func escaped(_ utf8: UnsafeRawBufferPointer, plainPrefix: Int) {
        buffer.writeInteger(UInt8(ascii: "\""))
        var start = 0
        var end = plainPrefix
        while end < utf8.count {
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: utf8[start..<end]))
            escape(utf8[end])
            start = end + 1
            end = start + JSONText.plainPrefix(UnsafeRawBufferPointer(rebasing: utf8[start...]))
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: utf8[start...]))
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
        case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
        case 0x0A: buffer.writeStaticString("\\n")
        case 0x0D: buffer.writeStaticString("\\r")
        case 0x09: buffer.writeStaticString("\\t")
        default:
            buffer.writeStaticString(byte < 0x10 ? "\\u000" : "\\u001")
            buffer.writeInteger(JSONText.hexDigit(byte & 0x0F))
        }
    }
}

extension JSONWriter: MemberWriter {
    mutating func open(members: Int) {
        buffer.writeInteger(UInt8(ascii: "{"))
        depth += 1
    }

    mutating func member(_ name: StaticString) {
        let count = name.utf8CodeUnitCount
        let comma = needsComma ? 1 : 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count + 4) { target in
            target[0] = UInt8(ascii: ",")
            target[comma] = UInt8(ascii: "\"")
            UnsafeMutableRawBufferPointer(rebasing: target[comma + 1..<comma + 1 + count])
                .copyMemory(from: UnsafeRawBufferPointer(start: name.utf8Start, count: count))
            target[comma + 1 + count] = UInt8(ascii: "\"")
            target[comma + 2 + count] = UInt8(ascii: ":")
            return comma + 3 + count
        }
        needsComma = true
    }

    mutating func name(_ name: String) {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        string(name)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = true
    }

    mutating func text(_ text: String) { string(text) }

    mutating func lazy(_ lazy: LazyValue) throws(MQTTXError) {
        if case .json(let bytes) = lazy.storage {
            spliced(bytes)
        } else {
            try value(try lazy.json())
        }
    }

    mutating func close() {
        buffer.writeInteger(UInt8(ascii: "}"))
        depth -= 1
    }
}
