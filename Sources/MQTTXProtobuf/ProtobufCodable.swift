private import Foundation
public import SwiftProtobuf

/// Lets a swift-protobuf message be params, result or event data wherever a `Codable` value can.
///
/// ```swift
/// extension AddRequest: ProtobufCodable {}
/// extension AddReply: ProtobufCodable {}
///
/// rpc.register("add") { (request: AddRequest) in AddReply.with { $0.sum = request.a + request.b } }
/// ```
/// On the wire the message is its serialized bytes, in the place of `params`, `result` or `data`, in every form:
/// `bin` with `MessagePackCodec`, a Base64 string with `JSONCodec`. So a peer needs nothing but that and the `.proto`;
/// in Python `AddRequest.FromString(base64.b64decode(params))`. The envelope stays what every peer knows.
///
/// Encoding throws `MQTTXError` with code 2006 (a required field of proto2 is missing), decoding with 2007 (the bytes
/// are no such message); the cause is what swift-protobuf threw.
public protocol ProtobufCodable: Message, Codable {}

extension ProtobufCodable {
    /// From the serialized message.
    public init(from decoder: any Swift.Decoder) throws {
        self = try Protobuf<Self>(from: decoder).message
    }

    /// The serialized message.
    public func encode(to encoder: any Swift.Encoder) throws {
        try Protobuf(self).encode(to: encoder)
    }
}

/// A swift-protobuf message as a `Codable` value, for messages that are not yours to extend; see ``ProtobufCodable``
/// for what travels.
///
/// ```swift
/// let reply: Protobuf<AddReply> = try await rpc.call("cloud/math", "add", params: Protobuf(request))
/// print(reply.message.sum)
/// ```
public struct Protobuf<M: Message>: Sendable, Codable {
    /// The message.
    public var message: M

    /// A message on its way out.
    public init(_ message: M) { self.message = message }

    /// From the serialized message.
    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.singleValueContainer()
        let bytes = try container.decode(Data.self)
        do {
            message = try M(serializedBytes: bytes)
        } catch {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath, debugDescription: "the bytes are no \(M.protoMessageName)",
                    underlyingError: error))
        }
    }

    /// As the serialized message.
    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(message.serializedBytes() as Data)
    }
}

extension Protobuf: Equatable where M: Equatable {}
extension Protobuf: Hashable where M: Hashable {}
