/// What a ``PacketDecoder`` finds.
public enum DecodedPacket: Sendable, Equatable {
    /// A whole packet.
    case packet(Packet)
    /// A PUBLISH whose payload was over the limit and was passed over.
    case skippedPublish(SkippedPublish)
}

/// A PUBLISH whose payload was larger than the receiver takes: all of it but the payload.
public struct SkippedPublish: Sendable, Equatable {
    /// The topic name, empty where a topic alias stands for it.
    public let topic: String
    /// 0 at QoS 0. At QoS 1 and 2 the packet is to be acknowledged like any other.
    public let packetID: UInt16
    /// The QoS it came with.
    public let qos: QoS
    /// Whether it has the RETAIN flag.
    public let retain: Bool
    /// MQTT 5.0 only.
    public let properties: Properties
    /// How many bytes of payload were passed over.
    public let payloadSize: Int

    package init(
        topic: String, packetID: UInt16, qos: QoS, retain: Bool, properties: Properties = .init(), payloadSize: Int
    ) {
        self.topic = topic
        self.packetID = packetID
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.payloadSize = payloadSize
    }
}

/// Who reads the packets; some may only go one way.
public enum Receiver: Sendable, Hashable {
    /// A client, which reads what servers send.
    case client
    /// A server, which reads what clients send.
    case server
}
