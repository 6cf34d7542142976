public import MQTTCore
public import NIOCore

/// Lays messages out as payload and properties with one codec, and reads them back.
///
/// It knows the forms, the codec knows the bytes. The built-in codecs are called without dynamic dispatch.
public struct MessageCoder: Sendable {
    enum Format: Sendable {
        case json, messagePack
        case custom(any Codec)
    }

    /// The codec it was made with.
    public let codec: any Codec
    let format: Format

    /// - Parameter codec: how messages become bytes.
    public init(_ codec: any Codec = .json) {
        self.codec = codec
        format =
            switch codec {
            case is JSONCodec: .json
            case is MessagePackCodec: .messagePack
            default: .custom(codec)
            }
    }

    /// Whether decoding is cheap enough for the receive path: the built-in codecs leave params and results as bytes.
    /// A user's codec may take its time and must be called from a task.
    public var decodesOnReceivePath: Bool {
        if case .custom = format { false } else { true }
    }

    /// Any `Encodable` value as params or result.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func value<T: Encodable>(encoding value: T) throws(MQTTXError) -> LazyValue {
        if case .messagePack = format { return LazyValue(try ValueEncoder.encode(value, bytesAsBinary: true)) }
        return LazyValue(try ValueEncoder.encode(value, bytesAsBinary: false))
    }

    /// A payload that is one value.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func encode(_ value: JSONValue) throws(MQTTXError) -> ByteBuffer {
        switch format {
        case .json: return try value.jsonBytes()
        case .messagePack:
            var writer = MessagePackWriter()
            try writer.value(value)
            return writer.buffer
        case .custom(let codec):
            do { return try codec.encode(value) } catch { throw Self.wrapped(error, .encodingFailed) }
        }
    }

    /// The value that a payload is.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/invalidJSON``, ``ErrorCode/invalidUTF8`` or
    ///   ``ErrorCode/decodingFailed``.
    public func decode(_ payload: ByteBuffer) throws(MQTTXError) -> JSONValue {
        switch format {
        case .json: return try JSONReader.value(of: payload)
        case .messagePack: return try MessagePackReader.value(of: payload)
        case .custom(let codec):
            do { return try codec.decode(payload) } catch { throw Self.wrapped(error, .decodingFailed) }
        }
    }

    private static func wrapped(_ error: any Error, _ code: ErrorCode) -> MQTTXError {
        if let error = error as? MQTTXError { return error }
        return MQTTXError(code, "the codec failed: \(error)", cause: error)
    }
}
