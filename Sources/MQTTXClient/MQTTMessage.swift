public import MQTTCore
public import NIOCore

/// A message that came from the broker.
public struct MQTTMessage: Sendable {
    /// The topic it was published to.
    public let topic: String
    /// The payload. It may share memory with other messages that came in the same read; copy it to keep it for long.
    public let payload: ByteBuffer
    /// The QoS it came with: the lower of publisher's and subscription's.
    public let qos: QoS
    /// Whether the broker had kept it from before the subscription (or, with *retain as published*, as it was sent).
    public let retain: Bool
    /// Whether the broker had sent it before.
    public let dup: Bool
    /// MQTT 5.0 properties: response topic, correlation data, user properties, content type, expiry.
    public let properties: Properties
    /// The packet identifier it came with; nil at QoS 0.
    public let packetID: UInt16?

    let acknowledger: Acknowledger?

    /// The payload as text; nil if it is not well-formed UTF-8.
    public var string: String? {
        payload.withUnsafeReadableBytes { String(validating: $0.bindMemory(to: UInt8.self), as: UTF8.self) }
    }

    /// Acknowledges the message where ``AcknowledgementMode/manual`` was chosen; does nothing otherwise, at QoS 0 and
    /// when called again.
    ///
    /// - Parameter reasonCode: what the broker is told (MQTT 5.0): success, or an error of 0x80 and above.
    public func acknowledge(_ reasonCode: ReasonCode = .success) {
        acknowledger?.acknowledge(reasonCode)
    }
}
