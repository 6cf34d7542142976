public import NIOCore

/// Any MQTT control packet, of 3.1.1 or 5.0 (section 2.1.2). Rare and large ones are indirect, so that the enum stays small.
public enum Packet: Sendable, Equatable {
    indirect case connect(Connect)
    indirect case connack(ConnAck)
    case publish(Publish)
    case puback(Acknowledgement)
    case pubrec(Acknowledgement)
    case pubrel(Acknowledgement)
    case pubcomp(Acknowledgement)
    indirect case subscribe(Subscribe)
    indirect case suback(SubAck)
    indirect case unsubscribe(Unsubscribe)
    indirect case unsuback(UnsubAck)
    case pingreq
    case pingresp
    indirect case disconnect(Disconnect)
    indirect case auth(Auth)

    /// The packet type's number in the fixed header.
    public var type: PacketType {
        switch self {
        case .connect: .connect
        case .connack: .connack
        case .publish: .publish
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        case .subscribe: .subscribe
        case .suback: .suback
        case .unsubscribe: .unsubscribe
        case .unsuback: .unsuback
        case .pingreq: .pingreq
        case .pingresp: .pingresp
        case .disconnect: .disconnect
        case .auth: .auth
        }
    }
}

/// The packet types by their number (section 2.1.2).
public enum PacketType: UInt8, Sendable, Hashable, CaseIterable {
    case connect = 1
    case connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback
    case pingreq, pingresp, disconnect, auth
}

extension PacketType: CustomStringConvertible {
    /// The name in the specification, as in `PUBLISH`.
    public var description: String {
        switch self {
        case .connect: "CONNECT"
        case .connack: "CONNACK"
        case .publish: "PUBLISH"
        case .puback: "PUBACK"
        case .pubrec: "PUBREC"
        case .pubrel: "PUBREL"
        case .pubcomp: "PUBCOMP"
        case .subscribe: "SUBSCRIBE"
        case .suback: "SUBACK"
        case .unsubscribe: "UNSUBSCRIBE"
        case .unsuback: "UNSUBACK"
        case .pingreq: "PINGREQ"
        case .pingresp: "PINGRESP"
        case .disconnect: "DISCONNECT"
        case .auth: "AUTH"
        }
    }
}

/// CONNECT (section 3.1).
public struct Connect: Sendable, Equatable {
    public var version: ProtocolVersion
    /// Clean Session in 3.1.1, Clean Start in 5.0.
    public var cleanStart: Bool
    /// Seconds; 0 turns keep-alive off.
    public var keepAlive: UInt16
    /// Empty asks the server to assign one.
    public var clientID: String
    public var will: Will?
    public var username: String?
    public var password: ByteBuffer?
    public var properties: Properties

    public init(
        version: ProtocolVersion, cleanStart: Bool = true, keepAlive: UInt16 = 60, clientID: String = "",
        will: Will? = nil, username: String? = nil, password: ByteBuffer? = nil, properties: Properties = .init()
    ) {
        self.version = version
        self.cleanStart = cleanStart
        self.keepAlive = keepAlive
        self.clientID = clientID
        self.will = will
        self.username = username
        self.password = password
        self.properties = properties
    }
}

/// The message that the server publishes when the connection ends without a DISCONNECT (section 3.1.2.5).
public struct Will: Sendable, Equatable {
    public var topic: String
    public var payload: ByteBuffer
    public var qos: QoS
    public var retain: Bool
    /// Will properties, `willDelayInterval` among them (MQTT 5.0 only, section 3.1.3.2).
    public var properties: Properties

    public init(
        topic: String, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = .init()
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }
}

/// CONNACK (section 3.2).
public struct ConnAck: Sendable, Equatable {
    public var sessionPresent: Bool
    /// A 3.1.1 return code is translated to its 5.0 counterpart.
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(sessionPresent: Bool = false, reasonCode: ReasonCode = .success, properties: Properties = .init()) {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// PUBLISH (section 3.3).
public struct Publish: Sendable, Equatable {
    /// Empty only where a topic alias stands for it.
    public var topic: String
    public var payload: ByteBuffer
    /// 0 at QoS 0.
    public var packetID: UInt16
    public var qos: QoS
    public var retain: Bool
    public var dup: Bool
    public var properties: Properties

    @inlinable
    public init(
        topic: String, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false, dup: Bool = false,
        packetID: UInt16 = 0, properties: Properties = .init()
    ) {
        self.topic = topic
        self.payload = payload
        self.packetID = packetID
        self.qos = qos
        self.retain = retain
        self.dup = dup
        self.properties = properties
    }
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP (sections 3.4 to 3.7).
public struct Acknowledgement: Sendable, Equatable {
    public var packetID: UInt16
    public var reasonCode: ReasonCode
    public var properties: Properties

    @inlinable
    public init(packetID: UInt16, reasonCode: ReasonCode = .success, properties: Properties = .init()) {
        self.packetID = packetID
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// SUBSCRIBE (section 3.8).
public struct Subscribe: Sendable, Equatable {
    public var packetID: UInt16
    public var filters: [SubscriptionRequest]
    public var properties: Properties

    public init(packetID: UInt16, filters: [SubscriptionRequest], properties: Properties = .init()) {
        self.packetID = packetID
        self.filters = filters
        self.properties = properties
    }
}

/// One topic filter of a SUBSCRIBE with its options (section 3.8.3.1).
public struct SubscriptionRequest: Sendable, Hashable {
    public var filter: String
    public var options: SubscriptionOptions

    public init(_ filter: String, options: SubscriptionOptions = .init()) {
        self.filter = filter
        self.options = options
    }
}

/// Subscription options (section 3.8.3.1). On MQTT 3.1.1 only `qos` travels.
public struct SubscriptionOptions: Sendable, Hashable {
    /// The highest QoS at which messages are to arrive.
    public var qos: QoS
    /// Don't send what this connection itself published.
    public var noLocal: Bool
    /// Keep the RETAIN flag as it was published.
    public var retainAsPublished: Bool
    /// Which retained messages come at subscribing.
    public var retainHandling: RetainHandling

    public init(
        qos: QoS = .atMostOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe
    ) {
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }
}

/// Whether retained messages are sent when a subscription is made (section 3.8.3.1).
public enum RetainHandling: UInt8, Sendable, Hashable, CaseIterable {
    case sendAtSubscribe = 0
    case sendIfNew = 1
    case doNotSend = 2
}

/// SUBACK (section 3.9). A 3.1.1 failure (0x80) reads as `.unspecifiedError`.
public struct SubAck: Sendable, Equatable {
    public var packetID: UInt16
    public var reasonCodes: [ReasonCode]
    public var properties: Properties

    public init(packetID: UInt16, reasonCodes: [ReasonCode], properties: Properties = .init()) {
        self.packetID = packetID
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

/// UNSUBSCRIBE (section 3.10).
public struct Unsubscribe: Sendable, Equatable {
    public var packetID: UInt16
    public var filters: [String]
    public var properties: Properties

    public init(packetID: UInt16, filters: [String], properties: Properties = .init()) {
        self.packetID = packetID
        self.filters = filters
        self.properties = properties
    }
}

/// UNSUBACK (section 3.11). On 3.1.1 it has no reason codes.
public struct UnsubAck: Sendable, Equatable {
    public var packetID: UInt16
    public var reasonCodes: [ReasonCode]
    public var properties: Properties

    public init(packetID: UInt16, reasonCodes: [ReasonCode] = [], properties: Properties = .init()) {
        self.packetID = packetID
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

/// DISCONNECT (section 3.14). On 3.1.1 it has neither code nor properties, and only clients send it.
public struct Disconnect: Sendable, Equatable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode = .success, properties: Properties = .init()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// AUTH (section 3.15), MQTT 5.0 only.
public struct Auth: Sendable, Equatable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode = .success, properties: Properties = .init()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}
