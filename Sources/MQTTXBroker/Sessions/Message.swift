import MQTTCore
import NIOCore

/// What is written of a message to everyone who gets it.
protocol MessageSource {
    var topic: String { get }
    /// When the message is worth nothing any more.
    var expiry: NIODeadline? { get }

    /// Lends the properties that travel on, encoded as MQTT 5.0 has them: without their length, and without message expiry,
    /// topic alias and subscription identifiers, which differ from receiver to receiver; and the payload.
    func withBytes<Result>(
        _ body: (_ properties: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) -> Result
    ) -> Result
}

extension MessageSource {
    /// What is left of its lifetime, in seconds (MQTT-3.3.2-6).
    var remainingLifetime: UInt32? {
        guard let expiry else { return nil }
        let left = expiry - .now()
        return left.nanoseconds <= 0 ? 0 : UInt32(clamping: (left.nanoseconds + 999_999_999) / 1_000_000_000)
    }
}

/// A message as it came, mostly in the memory that it was read into.
struct MessageContent: MessageSource, Sendable {
    let topic: String
    let payload: ByteBuffer
    let properties: ByteBuffer
    var expiry: NIODeadline?

    init(topic: String, payload: ByteBuffer, properties: Properties) {
        self.topic = topic
        self.payload = payload
        self.properties = ForwardedProperties.encode(properties)
        expiry = properties.messageExpiryInterval.map { .now() + .seconds(Int64($0)) }
    }

    fileprivate init(topic: String, payload: ByteBuffer, properties: ByteBuffer, expiry: NIODeadline?) {
        self.topic = topic
        self.payload = payload
        self.properties = properties
        self.expiry = expiry
    }

    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Result) -> Result {
        properties.withUnsafeReadableBytes { properties in
            payload.withUnsafeReadableBytes { body(properties, $0) }
        }
    }
}

/// A message that waits somewhere: in flight, queued or retained. All who keep it share it.
final class Message: MessageSource, @unchecked Sendable {
    // Unchecked for the pointer: nothing is written to once the message has been made.

    private enum Memory {
        /// Of its own, so that a small message does not keep a large read buffer alive: the properties, then the payload.
        case own(UnsafeRawBufferPointer, propertiesSize: Int)
        /// Where most of what it was read into is this message.
        case shared(properties: ByteBuffer, payload: ByteBuffer)
    }

    let topic: String
    let qos: QoS
    /// Whether it was published with RETAIN set.
    let retain: Bool
    let expiry: NIODeadline?
    /// The memory that it takes, roughly, in bytes.
    let cost: Int
    private let memory: Memory

    init(_ content: borrowing MessageContent, qos: QoS, retain: Bool) {
        topic = content.topic
        expiry = content.expiry
        self.qos = qos
        self.retain = retain
        let (payload, properties) = (content.payload.readableBytes, content.properties.readableBytes)
        let size = payload + properties
        cost = topic.utf8.count + size + 160
        let most = size + size / 8
        guard content.payload.storageCapacity > most || content.properties.storageCapacity > most else {
            memory = .shared(properties: content.properties, payload: content.payload)
            return
        }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
        content.withBytes {
            bytes.copyMemory(from: $0)
            UnsafeMutableRawBufferPointer(rebasing: bytes[properties...]).copyMemory(from: $1)
        }
        memory = .own(UnsafeRawBufferPointer(bytes), propertiesSize: properties)
    }

    deinit {
        if case .own(let bytes, _) = memory { bytes.deallocate() }
    }

    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Result) -> Result {
        switch memory {
        case .own(let bytes, let propertiesSize):
            withExtendedLifetime(self) {
                body(
                    UnsafeRawBufferPointer(rebasing: bytes[..<propertiesSize]),
                    UnsafeRawBufferPointer(rebasing: bytes[propertiesSize...]))
            }
        case .shared(let properties, let payload):
            properties.withUnsafeReadableBytes { properties in
                payload.withUnsafeReadableBytes { body(properties, $0) }
            }
        }
    }

    /// Whether there is no payload: at a retained topic that takes away what is there.
    var isEmpty: Bool { withBytes { $1.isEmpty } }

    /// A copy of what it was made of.
    var content: MessageContent {
        withBytes {
            MessageContent(
                topic: topic, payload: ByteBuffer(bytes: $1), properties: ByteBuffer(bytes: $0), expiry: expiry)
        }
    }

    func hasExpired(now: NIODeadline) -> Bool { expiry.map { $0 <= now } ?? false }
}
