public import NIOCore

/// JSON, the default: UTF-8, compact. Reads all that Python's `json.dumps` writes; see ``JSONValue/init(jsonBytes:)``.
public struct JSONCodec: Codec {
    /// The codec has no settings.
    public init() {}

    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed`` for a number that JSON does not have.
    public func encode(_ value: JSONValue) throws -> ByteBuffer { try value.jsonBytes() }

    /// - Throws: `MQTTXError` with ``ErrorCode/invalidJSON`` or ``ErrorCode/invalidUTF8``.
    public func decode(_ bytes: ByteBuffer) throws -> JSONValue { try JSONValue(jsonBytes: bytes) }
}

extension Codec where Self == JSONCodec {
    /// JSON.
    public static var json: JSONCodec { JSONCodec() }
}
