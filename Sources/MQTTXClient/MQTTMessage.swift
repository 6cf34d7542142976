public import MQTTCore
public import NIOCore

/// A message that came from the broker.
public struct MQTTMessage: Sendable {
    // As it was decoded, so that it is moved on its way and never put together anew.
    @usableFromInline let publish: Publish
    let acknowledger: Acknowledger?

    init(_ publish: consuming Publish, acknowledger: Acknowledger? = nil) {
        self.publish = publish
        self.acknowledger = acknowledger
    }

    /// The topic it was published to.
    @inlinable public var topic: String { publish.topic }
    /// The payload. It may share memory with other messages that came in the same read; ``unshared()`` does not.
    @inlinable public var payload: ByteBuffer { publish.payload }
    /// The QoS it came with: the lower of publisher's and subscription's.
    @inlinable public var qos: QoS { publish.qos }
    /// Whether the broker had kept it from before the subscription (or, with *retain as published*, as it was sent).
    @inlinable public var retain: Bool { publish.retain }
    /// Whether the broker had sent it before.
    @inlinable public var dup: Bool { publish.dup }
    /// MQTT 5.0 properties: response topic, correlation data, user properties, content type, expiry. Like the payload they may
    /// share memory with other messages.
    @inlinable public var properties: Properties { publish.properties }
    /// The packet identifier it came with; nil at QoS 0.
    public var packetID: UInt16? { publish.qos == .atMostOnce ? nil : publish.packetID }

    /// The payload as text; nil if it is not well-formed UTF-8.
    public var string: String? {
        publish.payload.withUnsafeReadableBytes { String(validating: $0.bindMemory(to: UInt8.self), as: UTF8.self) }
    }

    /// The memory, in bytes, that payload and properties lie in.
    var capacity: Int { max(publish.payload.storageCapacity, publish.properties.sharedCapacity) }

    /// Acknowledges the message where ``AcknowledgementMode/manual`` was chosen; does nothing otherwise, at QoS 0 and
    /// when called again.
    ///
    /// - Parameter reasonCode: what the broker is told (MQTT 5.0): success, or an error of 0x80 and above.
    public func acknowledge(_ reasonCode: ReasonCode = .success) {
        acknowledger?.acknowledge(reasonCode)
    }

    /// The same message with a payload and properties in memory of their own, for messages that are kept for long: those of
    /// one read share memory, all of which is kept as long as one of them is.
    public func unshared() -> MQTTMessage {
        var publish = publish
        publish.payload = publish.payload.unshared()
        publish.properties = publish.properties.unshared()
        return MQTTMessage(publish, acknowledger: acknowledger)
    }
}
