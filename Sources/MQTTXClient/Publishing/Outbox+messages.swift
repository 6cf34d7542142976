internal import MQTTCore
internal import NIOCore

/// Messages as programs and layers hand them in.
extension Outbox {
    /// Sends a message that may be sent, or queues it; never waits.
    func offer(
        _ topic: String, _ payload: ByteBuffer, _ qos: QoS, _ retain: Bool, _ properties: Properties
    ) throws(MQTTXError) -> Offer {
        let size = payload.readableBytes
        guard size <= largestPayload else {
            throw MQTTXError(
                .payloadTooLarge,
                "the payload has \(size) bytes; at most \(largestPayload) are allowed (maxPayloadSize)")
        }
        if !properties.isEmpty { try Self.check(properties) }
        if qos == .atMostOnce, try tryWrite(topic, payload, retain: retain, properties) { return .written }
        return try offer(Publish(topic: topic, payload: payload, qos: qos, retain: retain, properties: properties))
    }

    /// The same for who needs the receipt.
    ///
    /// - Returns: nil if the queue is full.
    func offer(
        _ topic: String, _ payload: ByteBuffer, _ qos: QoS, _ properties: Properties
    ) throws(MQTTXError) -> PublishReceipt? {
        switch try offer(topic, payload, qos, false, properties) {
        case .written: .delivered
        case .taken(let receipt): receipt
        case .full: nil
        }
    }

    /// Sends a message, or queues it, once there is room.
    func enqueue(
        _ topic: String, _ payload: ByteBuffer, _ qos: QoS, _ retain: Bool, _ properties: Properties
    ) async throws -> PublishReceipt {
        switch try offer(topic, payload, qos, retain, properties) {
        case .written: return .delivered
        case .taken(let receipt): return receipt
        case .full(let message): return try await submit(message) ?? .delivered
        }
    }

    private static func check(_ properties: Properties) throws(MQTTXError) {
        if properties.topicAlias != nil {
            throw MQTTXError(.encodingFailed, "topic aliases are assigned by the client itself")
        }
        if properties.hasSubscriptionIdentifiers {
            throw MQTTXError(.encodingFailed, "a client sends no subscription identifiers in a PUBLISH (MQTT-3.3.4-6)")
        }
        if let topic = properties.responseTopic { try TopicName.validate(topic) }
    }
}
