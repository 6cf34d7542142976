import MQTTCore

/// A format's way through the members of the object at its top.
protocol MemberReader {
    /// The next member's name, or nil at the end; then exactly one of the others must follow.
    mutating func next() throws(MQTTXError) -> MemberName?
    /// Passes over the member's value.
    mutating func skip() throws(MQTTXError)
    /// The member's value if it is text; other values are passed over.
    mutating func text() throws(MQTTXError) -> String?
    /// The member's value, checked for form but not built.
    mutating func lazy() throws(MQTTXError) -> LazyValue
    /// The member's value.
    mutating func json() throws(MQTTXError) -> JSONValue
}

/// A format's way to write an object's members one after another.
protocol MemberWriter: ~Copyable {
    /// Begins the object, with the number of members that will follow.
    mutating func open(members: Int)
    mutating func member(_ name: StaticString)
    mutating func name(_ name: String) throws(MQTTXError)
    mutating func text(_ text: String) throws(MQTTXError)
    mutating func value(_ value: JSONValue) throws(MQTTXError)
    mutating func lazy(_ lazy: LazyValue) throws(MQTTXError)
    mutating func close()
}
