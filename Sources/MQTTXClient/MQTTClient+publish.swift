public import MQTTCore
public import NIOCore

extension MQTTClient {
    /// Publishes a message and waits until the broker has taken it: written (QoS 0), PUBACK (1) or PUBCOMP (2) received.
    ///
    /// A slow broker makes this wait. While the connection is away the message is queued, or refused, as configured.
    /// Cancelling the task ends the waiting, not the message: at once, or a tenth of a second after the message was sent, if no
    /// answer comes before. A task that is cancelled already does not wait.
    ///
    /// - Parameters:
    ///   - topic: a topic name without wildcards (section 4.7).
    ///   - payload: at most ``MQTTConfig/maxPayloadSize`` bytes.
    ///   - qos: how often it is to be delivered.
    ///   - retain: whether the broker keeps it for those who subscribe later.
    ///   - properties: MQTT 5.0 properties; not sent on 3.1.1.
    /// - Returns: the broker's reason code.
    /// - Throws: ``MQTTXError``: ``ErrorCode/payloadTooLarge`` and ``ErrorCode/invalidTopic`` before anything is sent,
    ///   ``ErrorCode/notConnected``, ``ErrorCode/queueFull``, ``ErrorCode/publishFailed``, ``ErrorCode/permissionDenied``,
    ///   ``ErrorCode/packetTooLarge``; `CancellationError`.
    @discardableResult
    public func publish(
        _ topic: String, _ payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = .init()
    ) async throws -> ReasonCode {
        // Where nothing has to wait, the message is on its way without another async call.
        switch try outbox.offer(topic, payload, qos, retain, properties) {
        case .written: return .success
        case .taken(let receipt): return try await receipt.outcomeToCome.get()
        case .full(let message): return try await outbox.submit(message)?.outcome.get() ?? .success
        }
    }

    /// Publishes text, as UTF-8.
    ///
    /// - Throws: as for a buffer.
    @discardableResult
    public func publish(
        _ topic: String, _ payload: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = .init()
    ) async throws -> ReasonCode {
        try await publish(topic, ByteBuffer(string: payload), qos: qos, retain: retain, properties: properties)
    }

    /// Publishes bytes.
    ///
    /// - Throws: as for a buffer.
    @discardableResult
    public func publish(
        _ topic: String, _ payload: [UInt8], qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = .init()
    ) async throws -> ReasonCode {
        try await publish(topic, ByteBuffer(bytes: payload), qos: qos, retain: retain, properties: properties)
    }

    /// Queues a message; returns when it is in flight or in the queue, and the receipt tells how it ends.
    ///
    /// - Throws: as ``publish(_:_:qos:retain:properties:)-swift.method`` for what is known at once.
    @discardableResult
    public func enqueue(
        _ topic: String, _ payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = .init()
    ) async throws -> PublishReceipt {
        try await outbox.enqueue(topic, payload, qos, retain, properties)
    }

    /// Queues text, as UTF-8.
    ///
    /// - Throws: as for a buffer.
    @discardableResult
    public func enqueue(
        _ topic: String, _ payload: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = .init()
    ) async throws -> PublishReceipt {
        try await enqueue(topic, ByteBuffer(string: payload), qos: qos, retain: retain, properties: properties)
    }

    /// Queues bytes.
    ///
    /// - Throws: as for a buffer.
    @discardableResult
    public func enqueue(
        _ topic: String, _ payload: [UInt8], qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = .init()
    ) async throws -> PublishReceipt {
        try await enqueue(topic, ByteBuffer(bytes: payload), qos: qos, retain: retain, properties: properties)
    }
}

extension PublishReceipt {
    /// For a message that was done before anyone could ask.
    static let delivered: PublishReceipt = {
        let receipt = PublishReceipt(Publish(topic: "", payload: .init()))
        receipt.complete(.written)
        return receipt
    }()
}
