public import NIOCore

/// How messages become bytes.
///
/// Two functions make a codec; requests, responses, events and `Codable` values are built on them:
/// ```swift
/// struct XORCodec: Codec {
///     let key: UInt8
///     func encode(_ value: JSONValue) throws -> ByteBuffer {
///         ByteBuffer(bytes: try value.jsonBytes().readableBytesView.map { $0 ^ key })
///     }
///     func decode(_ bytes: ByteBuffer) throws -> JSONValue {
///         try JSONValue(jsonBytes: ByteBuffer(bytes: bytes.readableBytesView.map { $0 ^ key }))
///     }
/// }
/// ```
/// A codec gets whole messages, as objects. It is called from tasks, several at once, never on an event loop, so it may
/// take its time. Whatever it throws reaches the user as the cause of an `MQTTXError`. ``JSONCodec`` and
/// ``MessagePackCodec`` are recognized and take a faster way, without an intermediate value.
public protocol Codec: Sendable {
    /// The bytes for a value.
    ///
    /// - Throws: anything, where the format has no such value.
    func encode(_ value: JSONValue) throws -> ByteBuffer
    /// The value that bytes stand for. They come from the network and may be anything.
    ///
    /// - Throws: anything, where they stand for none.
    func decode(_ bytes: ByteBuffer) throws -> JSONValue
}

extension Codec {
    /// The bytes for any `Encodable` value.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``, or what the codec throws.
    public func encode(_ value: some Encodable) throws -> ByteBuffer { try encode(JSONValue(encoding: value)) }

    /// The `Decodable` value that bytes stand for.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/decodingFailed``, or what the codec throws.
    public func decode<T: Decodable>(_ type: T.Type, from bytes: ByteBuffer) throws -> T {
        try decode(bytes).decode(as: type)
    }
}
