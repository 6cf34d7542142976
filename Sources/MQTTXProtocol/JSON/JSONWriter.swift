import MQTTCore
import NIOCore

/// Writes compact JSON straight into a buffer.
struct JSONWriter: ~Copyable {
    private var sink: ByteSink
    private let allowsNonFinite: Bool
    private var depth = 0
    private var needsComma = false

    init(capacity: Int = 128, allowsNonFinite: Bool = false) {
        sink = ByteSink(capacity: capacity)
        self.allowsNonFinite = allowsNonFinite
    }

    /// What was written.
    var buffer: ByteBuffer { sink.bytes }

    /// The same, and the text if there is one, both in one piece of memory.
    mutating func buffer(beside text: String?) -> (bytes: ByteBuffer, text: ByteBuffer?) {
        sink.bytes(beside: text)
    }

    mutating func value(_ value: JSONValue) throws(MQTTXError) {
        switch value {
        case .null: sink.append("null")
        case .bool(true): sink.append("true")
        case .bool(false): sink.append("false")
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
        string.withBytes { utf8 in
            let plain = JSONText.endOfPlain(utf8, from: 0)
            if plain == utf8.count { quoted(utf8) } else { escaped(utf8, plainPrefix: plain) }
        }
    }

    /// Bytes that are valid JSON already.
    mutating func spliced(_ json: ByteBuffer) { sink.append(json) }

    private mutating func integer(_ value: Int64) {
        if value >= 0, value < 10 {
            sink.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
        } else {
            sink.append(String(value))
        }
    }

    private mutating func double(_ value: Double) throws(MQTTXError) {
        if value.isFinite {
            sink.append(value.description)
        } else if allowsNonFinite {
            sink.append(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
        } else {
            throw MQTTXError(.encodingFailed, "JSON has no number for \(value); send null or a string instead")
        }
    }

    private mutating func bigInt(_ digits: String) throws(MQTTXError) {
        // The case is public, so its text may be anything.
        guard JSONText.isInteger(digits) else {
            throw MQTTXError(.encodingFailed, "bigInt holds something other than decimal digits")
        }
        sink.append(digits)
    }

    private mutating func array(_ elements: [JSONValue]) throws(MQTTXError) {
        try descend()
        sink.append(UInt8(ascii: "["))
        var first = true
        for element in elements {
            if !first { sink.append(UInt8(ascii: ",")) }
            first = false
            try value(element)
        }
        sink.append(UInt8(ascii: "]"))
        depth -= 1
    }

    private mutating func object(_ object: JSONObject) throws(MQTTXError) {
        try descend()
        sink.append(UInt8(ascii: "{"))
        var first = true
        for entry in object {
            if !first { sink.append(UInt8(ascii: ",")) }
            first = false
            string(entry.key)
            sink.append(UInt8(ascii: ":"))
            try value(entry.value)
        }
        sink.append(UInt8(ascii: "}"))
        depth -= 1
    }

    private mutating func descend() throws(MQTTXError) {
        depth += 1
        guard depth <= JSONValue.maximumDepth else {
            throw MQTTXError(.encodingFailed, "nested deeper than \(JSONValue.maximumDepth) levels")
        }
    }

    private mutating func quoted(_ utf8: UnsafeRawBufferPointer) {
        sink.append(UInt8(ascii: "\""))
        sink.append(utf8)
        sink.append(UInt8(ascii: "\""))
    }

    private mutating func escaped(_ utf8: UnsafeRawBufferPointer, plainPrefix: Int) {
        sink.append(UInt8(ascii: "\""))
        var start = 0
        var end = plainPrefix
        while end < utf8.count {
            sink.append(UnsafeRawBufferPointer(rebasing: utf8[start..<end]))
            escape(utf8[end])
            start = end + 1
            end = JSONText.endOfPlain(utf8, from: start)
        }
        sink.append(UnsafeRawBufferPointer(rebasing: utf8[start...]))
        sink.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): sink.append("\\\"")
        case UInt8(ascii: "\\"): sink.append("\\\\")
        case 0x0A: sink.append("\\n")
        case 0x0D: sink.append("\\r")
        case 0x09: sink.append("\\t")
        default:
            sink.append(byte < 0x10 ? "\\u000" : "\\u001")
            sink.append(JSONText.hexDigit(byte & 0x0F))
        }
    }
}

extension JSONWriter: MemberWriter {
    mutating func open(members: Int) {
        sink.append(UInt8(ascii: "{"))
        depth += 1
    }

    mutating func member(_ name: StaticString) {
        if needsComma { sink.append(UInt8(ascii: ",")) }
        sink.append(UInt8(ascii: "\""))
        sink.append(name)
        sink.append(UInt8(ascii: "\""))
        sink.append(UInt8(ascii: ":"))
        needsComma = true
    }

    mutating func name(_ name: String) {
        if needsComma { sink.append(UInt8(ascii: ",")) }
        string(name)
        sink.append(UInt8(ascii: ":"))
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
        sink.append(UInt8(ascii: "}"))
        depth -= 1
    }
}
