public import MQTTCore
public import MQTTXProtocol
public import SwiftProtobuf

extension LazyValue {
    /// A message as params or result.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed`` when a required field is missing.
    public init(_ message: some Message) throws(MQTTXError) { self.init(try JSONValue(message)) }

    /// The message that params or a result hold.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/decodingFailed`` when the bytes are no such message.
    public func decode<M: Message>(message type: M.Type = M.self) throws(MQTTXError) -> M {
        try json().decode(message: type)
    }
}

extension JSONValue {
    /// A message as event data, or anywhere inside another value.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed`` when a required field is missing.
    public init(_ message: some Message) throws(MQTTXError) { try self.init(encoding: Protobuf(message)) }

    /// The message that this value holds.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/decodingFailed`` when the bytes are no such message.
    public func decode<M: Message>(message type: M.Type = M.self) throws(MQTTXError) -> M {
        try decode(as: Protobuf<M>.self).message
    }
}
