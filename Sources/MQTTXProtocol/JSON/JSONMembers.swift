import MQTTCore
import NIOCore

/// Reads the top-level members of a JSON object one by one and leaves the others' values as the bytes they are.
struct JSONMembers: MemberReader {
    private var reader: JSONReader
    private let buffer: ByteBuffer
    private var isFirst = true

    /// `bytes` are the readable bytes of `buffer`, which is what slices are taken from.
    init(_ bytes: UnsafeRawBufferPointer, of buffer: ByteBuffer) throws(MQTTXError) {
        reader = try JSONReader(bytes)
        self.buffer = buffer
        reader.skipSpace()
        guard reader.take(UInt8(ascii: "{")) else {
            // Tells JSON that is no object from what is not JSON at all.
            try reader.skipValue()
            try reader.end()
            throw MQTTXError(.invalidMessageType, "not an object")
        }
        try reader.descend()
    }

    mutating func next() throws(MQTTXError) -> MemberName? {
        reader.skipSpace()
        if reader.take(UInt8(ascii: "}")) {
            try reader.end()
            return nil
        }
        if !isFirst {
            guard reader.take(UInt8(ascii: ",")) else { throw reader.unexpected("neither a comma nor a brace") }
            reader.skipSpace()
        }
        isFirst = false
        let start = reader.index
        let (range, escaped) = try reader.scanString()
        let end = reader.index
        try reader.colon()
        guard escaped else { return MemberName(UnsafeRawBufferPointer(rebasing: reader.bytes[range])) }
        var key = try JSONReader(UnsafeRawBufferPointer(rebasing: reader.bytes[start..<end]))
        return MemberName(try key.string())
    }

    mutating func skip() throws(MQTTXError) { try reader.skipValue() }

    mutating func text() throws(MQTTXError) -> String? {
        if reader.current == UInt8(ascii: "\"") { return try reader.string() }
        try reader.skipValue()
        return nil
    }

    mutating func lazy() throws(MQTTXError) -> LazyValue {
        let start = reader.index
        try reader.skipValue()
        let slice = buffer.getSlice(at: buffer.readerIndex + start, length: reader.index - start) ?? ByteBuffer()
        // Bytes of a JSON value may be sent on as they are, but not with a bare NaN among them.
        return reader.passedNonFinite ? LazyValue(try JSONReader.value(of: slice)) : LazyValue(.json(slice))
    }

    mutating func json() throws(MQTTXError) -> JSONValue { try reader.value() }
}
