import Foundation
import MQTTCore
import NIOCore

/// Makes `Decodable` values of a `JSONValue`.
struct ValueDecoder: Decoder {
    let value: JSONValue
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    static func decode<T: Decodable>(_ type: T.Type, from value: JSONValue) throws(MQTTXError) -> T {
        do {
            return try ValueDecoder(value: value, codingPath: []).unbox(type)
        } catch let error as MQTTXError {
            throw error
        } catch let error as DecodingError {
            throw MQTTXError(.decodingFailed, CodingText.describe(error), cause: error)
        } catch {
            throw MQTTXError(.decodingFailed, "not a \(T.self): \(error)", cause: error)
        }
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch("an object") }
        return KeyedDecodingContainer(KeyedDecoding(object: object, decoder: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        switch value {
        case .array(let array): return UnkeyedDecoding(array: array, decoder: self)
        case .binary(let bytes): return UnkeyedDecoding(array: bytes.map { .int(Int64($0)) }, decoder: self)
        default: throw mismatch("an array")
        }
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    fileprivate func at(_ key: any CodingKey, _ value: JSONValue) -> ValueDecoder {
        ValueDecoder(value: value, codingPath: codingPath + [key])
    }

    fileprivate func unbox<T: Decodable>(_ type: T.Type) throws -> T {
        if let known: T = try known() { return known }
        return try T(from: self)
    }

    /// The counterparts of what `ValueEncoder` takes out of turn.
    private func known<T: Decodable>() throws -> T? {
        if T.self == String.self { return try string() as? T }
        if T.self == JSONValue.self { return value as? T }
        if T.self == Data.self { return try Data(bytes()) as? T }
        if T.self == ByteBuffer.self { return try ByteBuffer(bytes: bytes()) as? T }
        if T.self == [UInt8].self, let bytes = value.binaryValue { return bytes as? T }
        if T.self == URL.self {
            guard let url = URL(string: try string()) else { throw mismatch("a URL") }
            return url as? T
        }
        if T.self == Decimal.self {
            guard let number = try decimal() else { throw mismatch("a number") }
            return number as? T
        }
        return nil
    }

    private func bytes() throws -> [UInt8] {
        guard let bytes = value.binaryValue else { throw mismatch("bytes or Base64") }
        return bytes
    }

    private func decimal() throws -> Decimal? {
        switch value {
        case .int(let value): Decimal(value)
        case .double(let value) where value.isFinite: Decimal(string: value.description)
        case .bigInt(let digits): Decimal(string: digits)
        default: nil
        }
    }

    fileprivate func string() throws -> String {
        guard case .string(let text) = value else { throw mismatch("a string") }
        return text
    }

    fileprivate func bool() throws -> Bool {
        guard case .bool(let bool) = value else { throw mismatch("a boolean") }
        return bool
    }

    fileprivate func double() throws -> Double {
        guard let double = value.doubleValue else { throw mismatch("a number") }
        return double
    }

    fileprivate func integer<I: FixedWidthInteger>() throws -> I {
        guard let integer = value.integer(as: I.self) else { throw mismatch("an integer in the range of \(I.self)") }
        return integer
    }

    private func mismatch(_ wanted: String) -> DecodingError {
        let found =
            switch value {
            case .null: "null"
            case .bool: "a boolean"
            case .int, .bigInt: "an integer"
            case .double: "a floating-point number"
            case .string: "a string"
            case .binary: "bytes"
            case .array: "an array"
            case .object: "an object"
            }
        return .typeMismatch(
            JSONValue.self, .init(codingPath: codingPath, debugDescription: "\(wanted) is needed, not \(found)"))
    }
}

extension ValueDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { value.isNull }
    func decode(_: Bool.Type) throws -> Bool { try bool() }
    func decode(_: String.Type) throws -> String { try string() }
    func decode(_: Double.Type) throws -> Double { try double() }
    func decode(_: Float.Type) throws -> Float { Float(try double()) }
    func decode(_: Int.Type) throws -> Int { try integer() }
    func decode(_: Int8.Type) throws -> Int8 { try integer() }
    func decode(_: Int16.Type) throws -> Int16 { try integer() }
    func decode(_: Int32.Type) throws -> Int32 { try integer() }
    func decode(_: Int64.Type) throws -> Int64 { try integer() }
    func decode(_: UInt.Type) throws -> UInt { try integer() }
    func decode(_: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_: UInt64.Type) throws -> UInt64 { try integer() }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try unbox(type) }
}

private struct KeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let object: JSONObject
    let decoder: ValueDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] { object.compactMap { Key(stringValue: $0.key) } }

    private func member(_ key: Key) throws -> ValueDecoder {
        guard let value = object[key.stringValue] else {
            throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: "missing"))
        }
        return decoder.at(key, value)
    }

    func contains(_ key: Key) -> Bool { object[key.stringValue] != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try member(key).value.isNull }
    func decode(_: Bool.Type, forKey key: Key) throws -> Bool { try member(key).bool() }
    func decode(_: String.Type, forKey key: Key) throws -> String { try member(key).string() }
    func decode(_: Double.Type, forKey key: Key) throws -> Double { try member(key).double() }
    func decode(_: Float.Type, forKey key: Key) throws -> Float { Float(try member(key).double()) }
    func decode(_: Int.Type, forKey key: Key) throws -> Int { try member(key).integer() }
    func decode(_: Int8.Type, forKey key: Key) throws -> Int8 { try member(key).integer() }
    func decode(_: Int16.Type, forKey key: Key) throws -> Int16 { try member(key).integer() }
    func decode(_: Int32.Type, forKey key: Key) throws -> Int32 { try member(key).integer() }
    func decode(_: Int64.Type, forKey key: Key) throws -> Int64 { try member(key).integer() }
    func decode(_: UInt.Type, forKey key: Key) throws -> UInt { try member(key).integer() }
    func decode(_: UInt8.Type, forKey key: Key) throws -> UInt8 { try member(key).integer() }
    func decode(_: UInt16.Type, forKey key: Key) throws -> UInt16 { try member(key).integer() }
    func decode(_: UInt32.Type, forKey key: Key) throws -> UInt32 { try member(key).integer() }
    func decode(_: UInt64.Type, forKey key: Key) throws -> UInt64 { try member(key).integer() }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try member(key).unbox(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try member(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try member(key).unkeyedContainer()
    }

    func superDecoder() -> any Decoder {
        decoder.at(AnyCodingKey("super"), object["super"] ?? .null)
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }
}

private struct UnkeyedDecoding: UnkeyedDecodingContainer {
    let array: [JSONValue]
    let decoder: ValueDecoder
    private(set) var currentIndex = 0
    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { array.count }
    var isAtEnd: Bool { currentIndex >= array.count }

    init(array: [JSONValue], decoder: ValueDecoder) {
        self.array = array
        self.decoder = decoder
    }

    /// Decodes the next element; a failure leaves the position where it was.
    private mutating func next<R>(_ decode: (ValueDecoder) throws -> R) throws -> R {
        let key = AnyCodingKey(intValue: currentIndex)
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                R.self, .init(codingPath: codingPath + [key], debugDescription: "the array has no more elements"))
        }
        let result = try decode(decoder.at(key, array[currentIndex]))
        currentIndex += 1
        return result
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, array[currentIndex].isNull else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode(_: Bool.Type) throws -> Bool { try next { try $0.bool() } }
    mutating func decode(_: String.Type) throws -> String { try next { try $0.string() } }
    mutating func decode(_: Double.Type) throws -> Double { try next { try $0.double() } }
    mutating func decode(_: Float.Type) throws -> Float { try next { Float(try $0.double()) } }
    mutating func decode(_: Int.Type) throws -> Int { try next { try $0.integer() } }
    mutating func decode(_: Int8.Type) throws -> Int8 { try next { try $0.integer() } }
    mutating func decode(_: Int16.Type) throws -> Int16 { try next { try $0.integer() } }
    mutating func decode(_: Int32.Type) throws -> Int32 { try next { try $0.integer() } }
    mutating func decode(_: Int64.Type) throws -> Int64 { try next { try $0.integer() } }
    mutating func decode(_: UInt.Type) throws -> UInt { try next { try $0.integer() } }
    mutating func decode(_: UInt8.Type) throws -> UInt8 { try next { try $0.integer() } }
    mutating func decode(_: UInt16.Type) throws -> UInt16 { try next { try $0.integer() } }
    mutating func decode(_: UInt32.Type) throws -> UInt32 { try next { try $0.integer() } }
    mutating func decode(_: UInt64.Type) throws -> UInt64 { try next { try $0.integer() } }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next { try $0.unbox(type) } }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested>
    {
        try next { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next { try $0.unkeyedContainer() }
    }
    mutating func superDecoder() throws -> any Decoder { try next { $0 } }
}
