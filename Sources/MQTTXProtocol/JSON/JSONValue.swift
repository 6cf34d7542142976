public import MQTTCore
public import NIOCore

/// Any value that JSON can say, and bytes, which MessagePack can say as well.
///
/// ```swift
/// let status: JSONValue = ["status": "online", "cpu": [45.2, 12]]
/// let first = status["cpu"][0].doubleValue  // 45.2
/// ```
///
/// Integers and floating-point numbers stay apart, as in Python: `1` is `.int(1)`, `1.0` is `.double(1)`, and the two
/// are not equal. Use ``doubleValue`` where either will do.
public enum JSONValue: Sendable, Hashable {
    /// Nothing.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// An integer within 64 bits.
    case int(Int64)
    /// May be NaN or infinite when read from Python; such a value can't be written as JSON (2006).
    case double(Double)
    /// An integer outside the range of `Int64`, as its decimal digits with an optional leading minus, so that no digit
    /// is lost. MessagePack can write it up to `UInt64.max`.
    case bigInt(String)
    /// Text.
    case string(String)
    /// Bytes: `bin` in MessagePack. JSON writes them as a Base64 string and reads that back as `.string`.
    case binary([UInt8])
    /// Values in order.
    case array([JSONValue])
    /// Members in the order in which they were added or read.
    case object(JSONObject)
}

extension JSONValue {
    /// The deepest nesting of arrays and objects that is read or written; deeper is an error.
    public static let maximumDepth = 512

    /// A JSON value from UTF-8 bytes.
    ///
    /// Reads all that Python's `json.dumps` writes: bare `NaN`, `Infinity` and `-Infinity`, and lone surrogates in
    /// `\u` escapes, which become U+FFFD. Of repeated keys the last wins.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/invalidJSON`` and the offset of the violation, or
    ///   ``ErrorCode/invalidUTF8``.
    public init(jsonBytes bytes: ByteBuffer) throws(MQTTXError) {
        self = try JSONReader.value(of: bytes)
    }

    /// A JSON value from text; see ``init(jsonBytes:)``.
    public init(jsonText text: String) throws(MQTTXError) {
        self = try JSONReader.value(of: ByteBuffer(string: text))
    }

    /// Compact JSON in UTF-8.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed`` for NaN, infinities, and nesting deeper than
    ///   ``maximumDepth``.
    public func jsonBytes() throws(MQTTXError) -> ByteBuffer {
        var writer = JSONWriter()
        try writer.value(self)
        return writer.buffer
    }

    /// Compact JSON as text; see ``jsonBytes()``.
    public func jsonText() throws(MQTTXError) -> String { String(buffer: try jsonBytes()) }
}

extension JSONValue: CustomStringConvertible {
    /// Compact JSON; numbers that JSON lacks appear as `NaN`, `Infinity` and `-Infinity`.
    public var description: String {
        var writer = JSONWriter(allowsNonFinite: true)
        do { try writer.value(self) } catch { return "(\(error.message))" }
        return String(buffer: writer.buffer)
    }
}
