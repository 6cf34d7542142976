public import MQTTCore

extension JSONValue {
    /// `true` or `false`.
    public init(_ value: Bool) { self = .bool(value) }
    /// A number.
    public init(_ value: Double) { self = .double(value) }
    /// A number.
    public init(_ value: Float) { self = .double(Double(value)) }
    /// Text.
    public init(_ value: String) { self = .string(value) }
    /// An array.
    public init(_ value: [JSONValue]) { self = .array(value) }
    /// An object, its members in no particular order.
    public init(_ value: [String: JSONValue]) { self = .object(JSONObject(value)) }
    /// An object.
    public init(_ value: JSONObject) { self = .object(value) }

    /// Any integer; ``bigInt(_:)`` when it is outside the range of `Int64`.
    public init(_ value: some BinaryInteger) {
        self = Int64(exactly: value).map { .int($0) } ?? .bigInt(String(value))
    }

    /// The value that the `Encodable` encodes as.
    ///
    /// Defaults are those of Foundation's `JSONEncoder`, except that `Data` and `ByteBuffer` become
    /// ``binary(_:)`` (Base64 in JSON, `bin` in MessagePack).
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``; the cause is what the type's `encode(to:)` threw.
    public init(encoding value: some Encodable) throws(MQTTXError) {
        self = try ValueEncoder.encode(value, bytesAsBinary: false)
    }

    /// This value as a `Decodable` type.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/decodingFailed``, whose message names the member that does not fit and
    ///   whose cause is the `DecodingError`.
    public func decode<T: Decodable>(as type: T.Type = T.self) throws(MQTTXError) -> T {
        try ValueDecoder.decode(type, from: self)
    }
}

extension JSONValue {
    /// Whether this is `null`.
    public var isNull: Bool { self == .null }

    /// The string, or nil if this is something else.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The boolean, or nil if this is something else.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The number as an `Int`, or nil if this is no number, has a fraction or is out of range.
    public var intValue: Int? { integer(as: Int.self) }

    /// The number as a `Double`, rounded if need be, or nil if this is no number.
    public var doubleValue: Double? {
        switch self {
        case .double(let value): value
        case .int(let value): Double(value)
        case .bigInt(let digits): Double(digits)
        default: nil
        }
    }

    /// The elements, or nil if this is no array.
    public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, or nil if this is no object.
    public var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The bytes: those of ``binary(_:)``, or of a string in Base64; otherwise nil.
    public var binaryValue: [UInt8]? {
        switch self {
        case .binary(let bytes): bytes
        case .string(let text): Base64.decode(text)
        default: nil
        }
    }

    /// The member of that name; ``null`` when there is none or this is no object, so that paths can be chained.
    /// Setting turns a `null` into an object, and is ignored on any other value.
    public subscript(key: String) -> JSONValue {
        get { objectValue?[key] ?? .null }
        set {
            switch self {
            case .object(var object):
                // Lets go of the shared storage first, so that setting does not copy it.
                self = .null
                object[key] = newValue
                self = .object(object)
            case .null:
                self = .object([key: newValue])
            default:
                break
            }
        }
    }

    /// The element at that position; ``null`` when there is none or this is no array. Setting outside is ignored.
    public subscript(position: Int) -> JSONValue {
        get {
            guard case .array(let elements) = self, elements.indices.contains(position) else { return .null }
            return elements[position]
        }
        set {
            guard case .array(var elements) = self, elements.indices.contains(position) else { return }
            self = .null
            elements[position] = newValue
            self = .array(elements)
        }
    }

    func integer<I: FixedWidthInteger>(as type: I.Type) -> I? {
        switch self {
        case .int(let value): I(exactly: value)
        case .double(let value): I(exactly: value)
        case .bigInt(let digits): I(digits)
        default: nil
        }
    }
}
