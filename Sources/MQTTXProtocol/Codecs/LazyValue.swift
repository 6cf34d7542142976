public import MQTTCore
import NIOCore

/// The params or the result of a message: a value, or the bytes of one that nobody has asked for yet.
///
/// Received values are decoded when asked for, in the task that asks, and again each time; keep what you decoded.
public struct LazyValue: Sendable {
    enum Storage: Sendable {
        case value(JSONValue)
        // Checked for form by the reader that took the slice.
        case json(ByteBuffer)
        case messagePack(ByteBuffer)
    }

    let storage: Storage

    init(_ storage: Storage) { self.storage = storage }

    /// A value that is there already.
    public init(_ value: JSONValue) { storage = .value(value) }

    /// The value in dynamic form.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/invalidUTF8``, ``ErrorCode/invalidJSON`` or ``ErrorCode/decodingFailed``.
    public func json() throws(MQTTXError) -> JSONValue {
        switch storage {
        case .value(let value): value
        case .json(let bytes): try JSONReader.value(of: bytes)
        case .messagePack(let bytes): try MessagePackReader.value(of: bytes)
        }
    }

    /// The value as a `Decodable` type.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/decodingFailed`` when it does not fit; see also ``json()``.
    public func decode<T: Decodable>(as type: T.Type = T.self) throws(MQTTXError) -> T {
        try json().decode(as: type)
    }

    /// Whether it is `null`; does not decode.
    public var isNull: Bool {
        switch storage {
        case .value(let value): value.isNull
        case .json(let bytes): bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == UInt8(ascii: "n")
        case .messagePack(let bytes): bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == 0xC0
        }
    }
}

extension LazyValue: ExpressibleByNilLiteral {
    /// `null`.
    public init(nilLiteral: ()) { storage = .value(.null) }
}

extension LazyValue: CustomStringConvertible {
    /// The value as JSON text; for bytes that can't be decoded, why.
    public var description: String {
        do { return try json().description } catch { return "(\(error))" }
    }
}
