public import NIOCore

/// Any MQTT control packet, of 3.1.1 or 5.0 (section 2.1.2). Rare and large ones are indirect, so that the enum stays small.
public enum Packet: Sendable, Equatable {
    /// A client asks to be let in: the first packet of a connection (section 3.1).
    indirect case connect(Connect)
    /// The server's answer to CONNECT, or to the last AUTH (section 3.2).
    indirect case connack(ConnAck)
    /// A message, either way (section 3.3).
    case publish(Publish)
    /// The answer to a PUBLISH at QoS 1 (section 3.4).
    case puback(Acknowledgement)
    /// The first answer to a PUBLISH at QoS 2: received (section 3.5).
    case pubrec(Acknowledgement)
    /// The answer to PUBREC: the identifier is to be released (section 3.6).
    case pubrel(Acknowledgement)
    /// The answer to PUBREL, with which QoS 2 is complete (section 3.7).
    case pubcomp(Acknowledgement)
    /// A client asks for messages (section 3.8).
    indirect case subscribe(Subscribe)
    /// The answer to SUBSCRIBE, with a code for each filter (section 3.9).
    indirect case suback(SubAck)
    /// A client wants no more of these messages (section 3.10).
    indirect case unsubscribe(Unsubscribe)
    /// The answer to UNSUBSCRIBE, in 5.0 with a code for each filter (section 3.11).
    indirect case unsuback(UnsubAck)
    /// A client asks for a sign of life (section 3.12).
    case pingreq
    /// The answer to PINGREQ (section 3.13).
    case pingresp
    /// The last packet of whoever sends it: a client's, and in 5.0 a server's too (section 3.14).
    indirect case disconnect(Disconnect)
    /// A step of an enhanced authentication, either way; 5.0 alone (section 3.15).
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
    /// ``Packet/connect(_:)``.
    case connect = 1
    /// ``Packet/connack(_:)``.
    case connack
    /// ``Packet/publish(_:)``.
    case publish
    /// ``Packet/puback(_:)``.
    case puback
    /// ``Packet/pubrec(_:)``.
    case pubrec
    /// ``Packet/pubrel(_:)``.
    case pubrel
    /// ``Packet/pubcomp(_:)``.
    case pubcomp
    /// ``Packet/subscribe(_:)``.
    case subscribe
    /// ``Packet/suback(_:)``.
    case suback
    /// ``Packet/unsubscribe(_:)``.
    case unsubscribe
    /// ``Packet/unsuback(_:)``.
    case unsuback
    /// ``Packet/pingreq``.
    case pingreq
    /// ``Packet/pingresp``.
    case pingresp
    /// ``Packet/disconnect(_:)``.
    case disconnect
    /// ``Packet/auth(_:)``; 5.0 alone.
    case auth
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
    /// The version that is spoken: protocol level 4 or 5 (section 3.1.2.2).
    public var version: ProtocolVersion
    /// Clean Session in 3.1.1, Clean Start in 5.0.
    public var cleanStart: Bool
    /// Seconds; 0 turns keep-alive off.
    public var keepAlive: UInt16
    /// Empty asks the server to assign one.
    public var clientID: String
    /// What is published when the connection ends without a DISCONNECT; nil for nothing.
    public var will: Will?
    /// Who connects; nil for no user name.
    public var username: String?
    /// What proves it; 3.1.1 allows one only beside a user name (MQTT311-3.1.2-22).
    public var password: ByteBuffer?
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// A CONNECT; without arguments one of a new session that speaks `version`.
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
    /// Where it is published: a topic name without wildcards.
    public var topic: String
    /// What is published: at most 65,535 bytes (section 3.1.3.3).
    public var payload: ByteBuffer
    /// The QoS it is published with.
    public var qos: QoS
    /// Whether it is retained.
    public var retain: Bool
    /// Will properties, `willDelayInterval` among them (MQTT 5.0 only, section 3.1.3.2).
    public var properties: Properties

    /// A will; by default at QoS 0 and not retained.
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
    /// Whether the server had kept the session of an earlier connection (section 3.2.2.1.1).
    public var sessionPresent: Bool
    /// A 3.1.1 return code is translated to its 5.0 counterpart.
    public var reasonCode: ReasonCode
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// A CONNACK; without arguments one that accepts a new session.
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
    /// The application's bytes; possibly none.
    public var payload: ByteBuffer
    /// 0 at QoS 0.
    public var packetID: UInt16
    /// How often the message arrives: at most, at least or exactly once (section 4.3).
    public var qos: QoS
    /// Whether the server is to keep it, or had kept it (section 3.3.1.3).
    public var retain: Bool
    /// Whether it may have been sent before; never at QoS 0 (section 3.3.1.1).
    public var dup: Bool
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// A PUBLISH; above QoS 0 it needs a packet identifier to be encoded.
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
    /// Of the packet that is acknowledged: 1 to 65,535 (section 2.2.1).
    public var packetID: UInt16
    /// What became of it; always success on 3.1.1, which has no codes here.
    public var reasonCode: ReasonCode
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// An acknowledgement; by default of success.
    @inlinable
    public init(packetID: UInt16, reasonCode: ReasonCode = .success, properties: Properties = .init()) {
        self.packetID = packetID
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// SUBSCRIBE (section 3.8).
public struct Subscribe: Sendable, Equatable {
    /// 1 to 65,535 (section 2.2.1).
    public var packetID: UInt16
    /// The topic filters asked for, one at least (MQTT-3.8.3-2).
    public var filters: [SubscriptionRequest]
    /// A subscription identifier and user properties, in MQTT 5.0.
    public var properties: Properties

    /// A SUBSCRIBE for these filters.
    public init(packetID: UInt16, filters: [SubscriptionRequest], properties: Properties = .init()) {
        self.packetID = packetID
        self.filters = filters
        self.properties = properties
    }
}

/// One topic filter of a SUBSCRIBE with its options (section 3.8.3.1).
public struct SubscriptionRequest: Sendable, Hashable {
    /// The topic filter, with `$share/<group>/` before it for a shared subscription.
    public var filter: String
    /// How its messages are to come.
    public var options: SubscriptionOptions

    /// A filter; by default at QoS 0.
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

    /// Options; by default those of a SUBSCRIBE at QoS 0 on 3.1.1.
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
    /// Whenever it is made, also again.
    case sendAtSubscribe = 0
    /// If there was no such subscription before.
    case sendIfNew = 1
    /// Never.
    case doNotSend = 2
}

/// SUBACK (section 3.9). A 3.1.1 failure (0x80) reads as `.unspecifiedError`.
public struct SubAck: Sendable, Equatable {
    /// Of the SUBSCRIBE: 1 to 65,535 (section 2.2.1).
    public var packetID: UInt16
    /// One for each filter, in its order: the QoS granted, or why it was refused.
    public var reasonCodes: [ReasonCode]
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// A SUBACK with one code for each filter.
    public init(packetID: UInt16, reasonCodes: [ReasonCode], properties: Properties = .init()) {
        self.packetID = packetID
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

/// UNSUBSCRIBE (section 3.10).
public struct Unsubscribe: Sendable, Equatable {
    /// 1 to 65,535 (section 2.2.1).
    public var packetID: UInt16
    /// The topic filters to end, one at least (MQTT-3.10.3-2).
    public var filters: [String]
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// An UNSUBSCRIBE for these filters.
    public init(packetID: UInt16, filters: [String], properties: Properties = .init()) {
        self.packetID = packetID
        self.filters = filters
        self.properties = properties
    }
}

/// UNSUBACK (section 3.11). On 3.1.1 it has no reason codes.
public struct UnsubAck: Sendable, Equatable {
    /// Of the UNSUBSCRIBE: 1 to 65,535 (section 2.2.1).
    public var packetID: UInt16
    /// One for each filter, in its order; none on 3.1.1.
    public var reasonCodes: [ReasonCode]
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// An UNSUBACK with one code for each filter, or none for 3.1.1.
    public init(packetID: UInt16, reasonCodes: [ReasonCode] = [], properties: Properties = .init()) {
        self.packetID = packetID
        self.reasonCodes = reasonCodes
        self.properties = properties
    }
}

/// DISCONNECT (section 3.14). On 3.1.1 it has neither code nor properties, and only clients send it.
public struct Disconnect: Sendable, Equatable {
    /// Why the connection ends (section 3.14.2.1).
    public var reasonCode: ReasonCode
    /// MQTT 5.0 properties; empty on 3.1.1.
    public var properties: Properties

    /// A DISCONNECT; by default a normal one, after which no will is published.
    public init(reasonCode: ReasonCode = .success, properties: Properties = .init()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// AUTH (section 3.15), MQTT 5.0 only.
public struct Auth: Sendable, Equatable {
    /// Success, or that authentication goes on or begins anew (section 3.15.2.1).
    public var reasonCode: ReasonCode
    /// The authentication method, its data, and why.
    public var properties: Properties

    /// An AUTH; by default the one that ends an exchange with success.
    public init(reasonCode: ReasonCode = .success, properties: Properties = .init()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}
