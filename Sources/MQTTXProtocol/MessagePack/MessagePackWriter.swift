import MQTTCore
import NIOCore

/// Writes MessagePack straight into a buffer, each value in its shortest form.
struct MessagePackWriter: ~Copyable {
    private var sink: ByteSink
    private var depth = 0

    init(capacity: Int = 128) {
        sink = ByteSink(capacity: capacity)
    }

    /// What was written.
    var buffer: ByteBuffer { sink.bytes }

    /// The same, and the text if there is one, both in one piece of memory.
    mutating func buffer(beside text: String?) -> (bytes: ByteBuffer, text: ByteBuffer?) {
        sink.bytes(beside: text)
    }

    mutating func value(_ value: JSONValue) throws(MQTTXError) {
        switch value {
        case .null: sink.append(UInt8(0xC0))
        case .bool(let value): sink.append(UInt8(value ? 0xC3 : 0xC2))
        case .int(let value): integer(value)
        case .double(let value):
            sink.append(UInt8(0xCB))
            sink.append(bigEndian: value.bitPattern)
        case .bigInt(let digits): try bigInt(digits)
        case .string(let value): try string(value)
        case .binary(let bytes):
            try length(of: bytes.count, short: nil, one: 0xC4, two: 0xC5, four: 0xC6)
            bytes.withUnsafeBytes { sink.append($0) }
        case .array(let elements):
            try descend()
            try length(of: elements.count, short: (0x90, 15), one: nil, two: 0xDC, four: 0xDD)
            for element in elements { try self.value(element) }
            depth -= 1
        case .object(let object):
            try descend()
            try length(of: object.count, short: (0x80, 15), one: nil, two: 0xDE, four: 0xDF)
            for entry in object {
                try string(entry.key)
                try self.value(entry.value)
            }
            depth -= 1
        }
    }

    private mutating func string(_ string: String) throws(MQTTXError) {
        try length(of: string.utf8.count, short: (0xA0, 31), one: 0xD9, two: 0xDA, four: 0xDB)
        sink.append(string)
    }

    private mutating func integer(_ value: Int64) {
        switch value {
        case 0...0x7F: sink.append(UInt8(truncatingIfNeeded: value))
        case -32..<0: sink.append(UInt8(truncatingIfNeeded: value))
        case 0x80...0xFF: tagged(0xCC, UInt8(truncatingIfNeeded: value))
        case 0x100...0xFFFF: tagged(0xCD, UInt16(truncatingIfNeeded: value))
        case 0x1_0000...0xFFFF_FFFF: tagged(0xCE, UInt32(truncatingIfNeeded: value))
        case 0x1_0000_0000...: tagged(0xCF, UInt64(truncatingIfNeeded: value))
        case -0x80..<0: tagged(0xD0, Int8(truncatingIfNeeded: value))
        case -0x8000..<0: tagged(0xD1, Int16(truncatingIfNeeded: value))
        case -0x8000_0000..<0: tagged(0xD2, Int32(truncatingIfNeeded: value))
        default: tagged(0xD3, value)
        }
    }

    private mutating func tagged(_ tag: UInt8, _ value: some FixedWidthInteger) {
        sink.append(tag)
        sink.append(bigEndian: value)
    }

    private mutating func bigInt(_ digits: String) throws(MQTTXError) {
        if let value = Int64(digits) {
            integer(value)
        } else if let value = UInt64(digits) {
            tagged(0xCF, value)
        } else {
            throw MQTTXError(.encodingFailed, "MessagePack has no integers beyond 64 bits")
        }
    }

    private mutating func length(
        of count: Int, short: (base: UInt8, limit: Int)?, one: UInt8?, two: UInt8, four: UInt8
    ) throws(MQTTXError) {
        if let short, count <= short.limit {
            sink.append(short.base | UInt8(truncatingIfNeeded: count))
        } else if let one, let count = UInt8(exactly: count) {
            tagged(one, count)
        } else if let count = UInt16(exactly: count) {
            tagged(two, count)
        } else if let count = UInt32(exactly: count) {
            tagged(four, count)
        } else {
            throw MQTTXError(.encodingFailed, "MessagePack has no lengths beyond 32 bits")
        }
    }

    private mutating func descend() throws(MQTTXError) {
        depth += 1
        guard depth <= JSONValue.maximumDepth else {
            throw MQTTXError(.encodingFailed, "nested deeper than \(JSONValue.maximumDepth) levels")
        }
    }
}

extension MessagePackWriter: MemberWriter {
    mutating func open(members: Int) {
        depth += 1
        if members <= 15 {
            sink.append(0x80 | UInt8(truncatingIfNeeded: members))
        } else if members <= 0xFFFF {
            tagged(0xDE, UInt16(truncatingIfNeeded: members))
        } else {
            tagged(0xDF, UInt32(truncatingIfNeeded: members))
        }
    }

    /// Names of ours are shorter than 32 bytes.
    mutating func member(_ name: StaticString) {
        sink.append(0xA0 | UInt8(truncatingIfNeeded: name.utf8CodeUnitCount))
        sink.append(name)
    }

    mutating func name(_ name: String) throws(MQTTXError) { try string(name) }

    mutating func text(_ text: String) throws(MQTTXError) { try string(text) }

    mutating func lazy(_ lazy: LazyValue) throws(MQTTXError) {
        if case .messagePack(let bytes) = lazy.storage {
            sink.append(bytes)
        } else {
            try value(try lazy.json())
        }
    }

    mutating func close() { depth -= 1 }
}
