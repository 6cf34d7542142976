import MQTTCore
import NIOCore

/// The bytes that the next write to a client takes, in the form that its present connection wants.
struct OutputBuffer {
    private var version = ProtocolVersion.v3_1_1
    private var packetLimit = Int.max
    private var aliases: OutgoingTopicAliases?
    private var bytes = ByteBuffer()
    /// The last written buffer: its memory is used again when the socket has let go of it.
    private var spare = ByteBuffer()
    /// Larger buffers are not kept.
    private let largestSpare: Int

    init(largestSpare: Int) { self.largestSpare = largestSpare }

    /// How many bytes there are.
    var count: Int { bytes.readableBytes }

    mutating func connectionStarted(version: ProtocolVersion, packetLimit: Int, topicAliasMaximum: Int) {
        self.version = version
        self.packetLimit = packetLimit
        aliases = topicAliasMaximum > 0 ? OutgoingTopicAliases(maximum: topicAliasMaximum) : nil
        bytes = ByteBuffer()
    }

    mutating func connectionEnded() {
        bytes = ByteBuffer()
        spare = ByteBuffer()
        aliases = nil
    }

    /// Appends a message, with an alias where the client takes them.
    ///
    /// - Returns: false for a packet over the client's Maximum Packet Size, which counts as sent (MQTT-3.1.2-25).
    mutating func write(_ writer: PublishWriter, _ message: some MessageSource) -> Bool {
        useSpare()
        guard version == .v5, aliases != nil, message.topic.utf8.count > 3 else {
            return writer.write(message, version: version, limit: packetLimit, into: &bytes)
        }
        let topic = message.topic
        let (alias, sendsTopic) = aliases!.alias(for: topic)
        if writer.write(
            message, alias: alias, sendsTopic: sendsTopic, version: version, limit: packetLimit, into: &bytes)
        {
            return true
        }
        guard alias != nil, sendsTopic else { return false }
        // The client has not heard of that alias; three bytes fewer may fit.
        aliases?.forget(topic)
        return writer.write(message, version: version, limit: packetLimit, into: &bytes)
    }

    mutating func writePubrel(_ id: UInt16) { bytes.writeInteger(UInt32(0x6202_0000) | UInt32(id)) }

    /// All there is; its memory is used again if the client is a busy one.
    mutating func take() -> ByteBuffer {
        guard bytes.readableBytes > 0 else { return ByteBuffer() }
        defer { bytes = ByteBuffer() }
        spare = bytes.capacity <= largestSpare && bytes.readableBytes * 8 > bytes.capacity ? bytes : ByteBuffer()
        return bytes
    }

    private mutating func useSpare() {
        guard bytes.capacity == 0, spare.capacity > 0 else { return }
        swap(&bytes, &spare)
        bytes.clear()
    }
}
