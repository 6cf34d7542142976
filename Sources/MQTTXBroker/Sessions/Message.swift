import MQTTCore
import NIOCore

/// What is the same for everyone who gets a message.
struct MessageContent: Sendable {
    var topic: String
    var payload: ByteBuffer
    /// The properties that travel on, encoded as MQTT 5.0 has them: without their length, and without message expiry,
    /// topic alias and subscription identifiers, which differ from receiver to receiver.
    var properties: ByteBuffer
    /// When the message is worth nothing any more.
    var expiry: NIODeadline?

    init(topic: String, payload: ByteBuffer, properties: Properties) {
        self.topic = topic
        self.payload = payload
        self.properties = ForwardedProperties.encode(properties)
        expiry = properties.messageExpiryInterval.map { .now() + .seconds(Int64($0)) }
    }

    /// What is left of its lifetime, in seconds (MQTT-3.3.2-6).
    var remainingLifetime: UInt32? {
        guard let expiry else { return nil }
        let left = expiry - .now()
        return left.nanoseconds <= 0 ? 0 : UInt32(clamping: (left.nanoseconds + 999_999_999) / 1_000_000_000)
    }

    /// What keeping it costs, in bytes.
    var size: Int { topic.utf8.count + payload.readableBytes + properties.readableBytes }

    /// The same in memory of its own, so that a small message does not keep a large read buffer alive.
    func unpinned() -> MessageContent {
        let size = payload.readableBytes + properties.readableBytes
        let most = size + size / 8
        guard payload.storageCapacity > most || properties.storageCapacity > most else { return self }
        var memory = ByteBufferAllocator().buffer(capacity: size)
        memory.writeImmutableBuffer(properties)
        memory.writeImmutableBuffer(payload)
        let properties = memory.readSlice(length: properties.readableBytes) ?? ByteBuffer()
        return MessageContent(topic: topic, payload: memory, properties: properties, expiry: expiry)
    }

    private init(topic: String, payload: ByteBuffer, properties: ByteBuffer, expiry: NIODeadline?) {
        self.topic = topic
        self.payload = payload
        self.properties = properties
        self.expiry = expiry
    }
}

/// A message that waits somewhere: in flight, queued or retained. All who keep it share it.
final class Message: Sendable {
    let content: MessageContent
    let qos: QoS
    /// Whether it was published with RETAIN set.
    let retain: Bool
    /// The memory that it takes, roughly, in bytes.
    let cost: Int

    init(_ content: MessageContent, qos: QoS, retain: Bool) {
        self.content = content.unpinned()
        self.qos = qos
        self.retain = retain
        cost = content.size + 160
    }

    func hasExpired(now: NIODeadline) -> Bool { content.expiry.map { $0 <= now } ?? false }
}
