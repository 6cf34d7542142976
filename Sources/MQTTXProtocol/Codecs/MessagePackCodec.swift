public import NIOCore

/// MessagePack: the whole message is one map, as Python's `msgpack.packb(message)` makes it.
///
/// Reads everything the format has. Bytes are ``JSONValue/binary(_:)``; timestamps become seconds since 1970
/// (``JSONValue/double(_:)``, or `.int` when whole); other extension types become an object with the members `ext`
/// (the type) and `data` (the bytes); keys that are integers become text; text that is not UTF-8 is an error (2002).
/// Nothing is allocated on the word of a length that the bytes don't bear out.
public struct MessagePackCodec: Codec {
    /// The codec has no settings.
    public init() {}

    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func encode(_ value: JSONValue) throws -> ByteBuffer {
        var writer = MessagePackWriter()
        try writer.value(value)
        return writer.buffer
    }

    /// - Throws: `MQTTXError` with ``ErrorCode/decodingFailed`` or ``ErrorCode/invalidUTF8``.
    public func decode(_ bytes: ByteBuffer) throws -> JSONValue { try MessagePackReader.value(of: bytes) }

    /// The bytes for any `Encodable` value; its bytes become `bin`.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func encode(_ value: some Encodable) throws -> ByteBuffer {
        try encode(ValueEncoder.encode(value, bytesAsBinary: true))
    }
}

extension Codec where Self == MessagePackCodec {
    /// MessagePack.
    public static var messagePack: MessagePackCodec { MessagePackCodec() }
}
