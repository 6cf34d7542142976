import Foundation
import MQTTCore
import NIOCore

/// Turns `Encodable` values into `JSONValue`, without the detour over bytes.
final class ValueEncoder: Encoder {
    let codingPath: [any CodingKey]
    let userInfo: [CodingUserInfoKey: Any] = [:]
    private let bytesAsBinary: Bool
    private var content = Content.nothing

    enum Content {
        case nothing
        case value(JSONValue)
        case object(ObjectContent)
        case array(ArrayContent)
    }

    /// Members in the making: containers that are still open may be added to later, so they are looked into last.
    final class ObjectContent {
        var object = JSONObject()
        var open: [(key: String, ValueEncoder)] = []
    }

    final class ArrayContent {
        var array: [JSONValue] = []
        var open: [(position: Int, ValueEncoder)] = []
    }

    private init(_ codingPath: [any CodingKey], bytesAsBinary: Bool) {
        self.codingPath = codingPath
        self.bytesAsBinary = bytesAsBinary
    }

    /// - Parameter bytesAsBinary: Whether `[UInt8]` becomes binary, rather than an array of numbers.
    static func encode<T: Encodable>(_ value: T, bytesAsBinary: Bool) throws(MQTTXError) -> JSONValue {
        do {
            return try ValueEncoder([], bytesAsBinary: bytesAsBinary).box(value)
        } catch let error as MQTTXError {
            throw error
        } catch let error as EncodingError {
            throw MQTTXError(.encodingFailed, CodingText.describe(error), cause: error)
        } catch {
            throw MQTTXError(.encodingFailed, "\(T.self) can't be encoded: \(error)", cause: error)
        }
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        let target: ObjectContent
        if case .object(let existing) = content {
            target = existing
        } else {
            target = ObjectContent()
            content = .object(target)
        }
        return KeyedEncodingContainer(KeyedEncoding(encoder: self, target: target))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        let target: ArrayContent
        if case .array(let existing) = content {
            target = existing
        } else {
            target = ArrayContent()
            content = .array(target)
        }
        return UnkeyedEncoding(encoder: self, target: target)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { SingleValueEncoding(encoder: self) }

    fileprivate func set(_ value: JSONValue) { content = .value(value) }

    fileprivate func child(_ key: any CodingKey) -> ValueEncoder {
        ValueEncoder(codingPath + [key], bytesAsBinary: bytesAsBinary)
    }

    fileprivate func box<T: Encodable>(_ value: T, at key: (any CodingKey)? = nil) throws -> JSONValue {
        if let known = known(value) { return known }
        guard codingPath.count <= JSONValue.maximumDepth else {
            throw MQTTXError(.encodingFailed, "nested deeper than \(JSONValue.maximumDepth) levels")
        }
        let encoder = key.map(child) ?? self
        try value.encode(to: encoder)
        return encoder.finish()
    }

    /// Types that would encode as something less useful than what they are. Types are compared before they are cast,
    /// since a failing cast is dear.
    private func known<T: Encodable>(_ value: T) -> JSONValue? {
        if T.self == String.self { return (value as? String).map { .string($0) } }
        if T.self == JSONValue.self { return value as? JSONValue }
        if T.self == Data.self { return (value as? Data).map { .binary([UInt8]($0)) } }
        if T.self == ByteBuffer.self { return (value as? ByteBuffer).map { .binary(Array(buffer: $0)) } }
        if bytesAsBinary, T.self == [UInt8].self { return (value as? [UInt8]).map { .binary($0) } }
        if T.self == URL.self { return (value as? URL).map { .string($0.absoluteString) } }
        if T.self == Decimal.self { return (value as? Decimal).map { Self.number($0) } }
        return nil
    }

    private static func number(_ value: Decimal) -> JSONValue {
        let text = value.description
        if let integer = Int64(text) { return .int(integer) }
        return JSONText.isInteger(text) ? .bigInt(text) : .double(Double(text) ?? .nan)
    }

    fileprivate func finish() -> JSONValue {
        switch content {
        // As Foundation does for a type that encodes nothing.
        case .nothing: return .object([:])
        case .value(let value): return value
        case .object(let content):
            for (key, encoder) in content.open { content.object[key] = encoder.finish() }
            return .object(content.object)
        case .array(let content):
            for (position, encoder) in content.open { content.array[position] = encoder.finish() }
            return .array(content.array)
        }
    }
}

private struct KeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: ValueEncoder
    let target: ValueEncoder.ObjectContent
    var codingPath: [any CodingKey] { encoder.codingPath }

    private func set(_ value: JSONValue, _ key: Key) { target.object[key.stringValue] = value }

    func encodeNil(forKey key: Key) { set(.null, key) }
    func encode(_ value: Bool, forKey key: Key) { set(.bool(value), key) }
    func encode(_ value: String, forKey key: Key) { set(.string(value), key) }
    func encode(_ value: Double, forKey key: Key) { set(.double(value), key) }
    func encode(_ value: Float, forKey key: Key) { set(CodingText.number(value), key) }
    func encode(_ value: Int, forKey key: Key) { set(.int(Int64(value)), key) }
    func encode(_ value: Int8, forKey key: Key) { set(.int(Int64(value)), key) }
    func encode(_ value: Int16, forKey key: Key) { set(.int(Int64(value)), key) }
    func encode(_ value: Int32, forKey key: Key) { set(.int(Int64(value)), key) }
    func encode(_ value: Int64, forKey key: Key) { set(.int(value), key) }
    func encode(_ value: UInt, forKey key: Key) { set(JSONValue(value), key) }
    func encode(_ value: UInt8, forKey key: Key) { set(.int(Int64(value)), key) }
    func encode(_ value: UInt16, forKey key: Key) { set(.int(Int64(value)), key) }
    func encode(_ value: UInt32, forKey key: Key) { set(.int(Int64(value)), key) }
    func encode(_ value: UInt64, forKey key: Key) { set(JSONValue(value), key) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { set(try encoder.box(value, at: key), key) }

    private func open(_ key: String, _ codingKey: any CodingKey) -> ValueEncoder {
        let child = encoder.child(codingKey)
        target.object[key] = .null
        target.open.append((key, child))
        return child
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        open(key.stringValue, key).container(keyedBy: keyedBy)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        open(key.stringValue, key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { open("super", AnyCodingKey("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { open(key.stringValue, key) }
}

private struct UnkeyedEncoding: UnkeyedEncodingContainer {
    let encoder: ValueEncoder
    let target: ValueEncoder.ArrayContent
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { target.array.count }

    private func add(_ value: JSONValue) { target.array.append(value) }

    func encodeNil() { add(.null) }
    func encode(_ value: Bool) { add(.bool(value)) }
    func encode(_ value: String) { add(.string(value)) }
    func encode(_ value: Double) { add(.double(value)) }
    func encode(_ value: Float) { add(CodingText.number(value)) }
    func encode(_ value: Int) { add(.int(Int64(value))) }
    func encode(_ value: Int8) { add(.int(Int64(value))) }
    func encode(_ value: Int16) { add(.int(Int64(value))) }
    func encode(_ value: Int32) { add(.int(Int64(value))) }
    func encode(_ value: Int64) { add(.int(value)) }
    func encode(_ value: UInt) { add(JSONValue(value)) }
    func encode(_ value: UInt8) { add(.int(Int64(value))) }
    func encode(_ value: UInt16) { add(.int(Int64(value))) }
    func encode(_ value: UInt32) { add(.int(Int64(value))) }
    func encode(_ value: UInt64) { add(JSONValue(value)) }
    func encode<T: Encodable>(_ value: T) throws { add(try encoder.box(value, at: AnyCodingKey(intValue: count))) }

    private func open() -> ValueEncoder {
        let child = encoder.child(AnyCodingKey(intValue: count))
        target.open.append((count, child))
        add(.null)
        return child
    }

    func nestedContainer<Nested: CodingKey>(keyedBy: Nested.Type) -> KeyedEncodingContainer<Nested> {
        open().container(keyedBy: keyedBy)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { open().unkeyedContainer() }
    func superEncoder() -> any Encoder { open() }
}

private struct SingleValueEncoding: SingleValueEncodingContainer {
    let encoder: ValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() { encoder.set(.null) }
    func encode(_ value: Bool) { encoder.set(.bool(value)) }
    func encode(_ value: String) { encoder.set(.string(value)) }
    func encode(_ value: Double) { encoder.set(.double(value)) }
    func encode(_ value: Float) { encoder.set(CodingText.number(value)) }
    func encode(_ value: Int) { encoder.set(.int(Int64(value))) }
    func encode(_ value: Int8) { encoder.set(.int(Int64(value))) }
    func encode(_ value: Int16) { encoder.set(.int(Int64(value))) }
    func encode(_ value: Int32) { encoder.set(.int(Int64(value))) }
    func encode(_ value: Int64) { encoder.set(.int(value)) }
    func encode(_ value: UInt) { encoder.set(JSONValue(value)) }
    func encode(_ value: UInt8) { encoder.set(.int(Int64(value))) }
    func encode(_ value: UInt16) { encoder.set(.int(Int64(value))) }
    func encode(_ value: UInt32) { encoder.set(.int(Int64(value))) }
    func encode(_ value: UInt64) { encoder.set(JSONValue(value)) }
    func encode<T: Encodable>(_ value: T) throws { encoder.set(try encoder.box(value, at: AnyCodingKey("value"))) }
}
