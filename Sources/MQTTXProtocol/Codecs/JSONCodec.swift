public import NIOCore

/// JSON, the default: UTF-8, compact. Reads all that Python's `json.dumps` writes; see ``JSONValue/init(jsonBytes:)``.
public struct JSONCodec: Codec {
    public init() {}

    public func encode(_ value: JSONValue) throws -> ByteBuffer { try value.jsonBytes() }

    public func decode(_ bytes: ByteBuffer) throws -> JSONValue { try JSONValue(jsonBytes: bytes) }
}

extension Codec where Self == JSONCodec {
    /// JSON.
    public static var json: JSONCodec { JSONCodec() }
}
