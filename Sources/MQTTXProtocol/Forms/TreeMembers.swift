import MQTTCore

/// Reads the members of a value that a codec has decoded already.
struct TreeReader: MemberReader {
    private let object: JSONObject
    private var position = -1

    init(_ value: JSONValue) throws(MQTTXError) {
        guard case .object(let object) = value else { throw MQTTXError(.invalidMessageType, "not an object") }
        self.object = object
    }

    mutating func next() -> MemberName? {
        position += 1
        return position < object.count ? MemberName(object[position].key) : nil
    }

    mutating func skip() {}

    mutating func text() -> String? { object[position].value.stringValue }

    mutating func lazy() -> LazyValue { LazyValue(object[position].value) }

    mutating func json() -> JSONValue { object[position].value }
}

/// Collects the members of a value that a codec will encode.
struct TreeWriter: MemberWriter {
    private(set) var object = JSONObject()
    private var name = ""

    mutating func open(members: Int) {}

    mutating func member(_ name: StaticString) {
        self.name = name.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
    }

    mutating func name(_ name: String) { self.name = name }

    mutating func text(_ text: String) { object[name] = .string(text) }

    mutating func value(_ value: JSONValue) { object[name] = value }

    mutating func lazy(_ lazy: LazyValue) throws(MQTTXError) { object[name] = try lazy.json() }

    mutating func close() {}
}
