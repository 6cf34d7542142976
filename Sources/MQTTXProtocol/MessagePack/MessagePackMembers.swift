import MQTTCore
import NIOCore

/// Reads the top-level members of a MessagePack map one by one and leaves the others' values as the bytes they are.
struct MessagePackMembers: MemberReader {
    private var reader: MessagePackReader
    private let buffer: ByteBuffer
    private var remaining: Int

    /// `bytes` are the readable bytes of `buffer`, which is what slices are taken from.
    init(_ bytes: UnsafeRawBufferPointer, of buffer: ByteBuffer) throws(MQTTXError) {
        reader = MessagePackReader(bytes)
        self.buffer = buffer
        guard case .map(let count) = try reader.token() else {
            // Tells MessagePack that is no map from what is not MessagePack at all.
            var whole = MessagePackReader(bytes)
            try whole.skipValue()
            try whole.end()
            throw MQTTXError(.invalidMessageType, "not an object")
        }
        try reader.descend()
        remaining = count
    }

    mutating func next() throws(MQTTXError) -> MemberName? {
        guard remaining > 0 else {
            try reader.end()
            return nil
        }
        remaining -= 1
        let start = reader
        if case .text(let range) = try reader.token() {
            try reader.check(range)
            return MemberName(UnsafeRawBufferPointer(rebasing: reader.bytes[range]))
        }
        reader = start
        return MemberName(try reader.key())
    }

    mutating func skip() throws(MQTTXError) { try reader.skipValue() }

    mutating func text() throws(MQTTXError) -> String? {
        let start = reader
        if case .text(let range) = try reader.token() { return try reader.text(range) }
        reader = start
        try reader.skipValue()
        return nil
    }

    mutating func lazy() throws(MQTTXError) -> LazyValue {
        let start = reader.index
        try reader.skipValue()
        let slice = buffer.getSlice(at: buffer.readerIndex + start, length: reader.index - start)
        return LazyValue(.messagePack(slice ?? ByteBuffer()))
    }

    mutating func json() throws(MQTTXError) -> JSONValue { try reader.value() }
}
