/// What a CONNACK told of the server and of this connection (section 3.2.2.3), with the specification's defaults where it
/// told nothing. The client obeys all of it before it sends.
public struct ServerCapabilities: Sendable, Equatable {
    /// The version that is spoken.
    public var version: ProtocolVersion
    /// Whether the server kept the session of an earlier connection.
    public var sessionPresent: Bool
    /// The client identifier in use: the one asked for, or the one the server assigned.
    public var clientID: String
    /// How many QoS 1 and 2 messages the server takes unacknowledged: 1 to 65,535.
    public var receiveMaximum: Int
    /// The highest QoS the server takes.
    public var maximumQoS: QoS
    /// Whether the server keeps retained messages.
    public var isRetainAvailable: Bool
    /// The largest packet in bytes that the server takes.
    public var maximumPacketSize: Int
    /// The highest topic alias that the server takes; 0 for none.
    public var topicAliasMaximum: Int
    /// Whether filters may have wildcards.
    public var areWildcardsAvailable: Bool
    /// Whether subscriptions may have identifiers.
    public var areSubscriptionIdentifiersAvailable: Bool
    /// Whether subscriptions may be shared.
    public var areSharedSubscriptionsAvailable: Bool
    /// The keep alive in use, in seconds; 0 is none.
    public var keepAlive: UInt16
    /// Seconds that the session outlives the connection; nil on 3.1.1.
    public var sessionExpiryInterval: UInt32?
    /// The basis for response topics, if asked for and given.
    public var responseInformation: String?
    /// Everything the CONNACK carried.
    public var properties: Properties

    package init(connack: ConnAck, connect: Connect) {
        let properties = connack.properties
        version = connect.version
        sessionPresent = connack.sessionPresent
        clientID = properties.assignedClientIdentifier ?? connect.clientID
        receiveMaximum = Int(properties.receiveMaximum ?? 65_535)
        maximumQoS = properties.maximumQoS.flatMap(QoS.init(rawValue:)) ?? .exactlyOnce
        isRetainAvailable = properties.retainAvailable != 0
        maximumPacketSize = properties.maximumPacketSize.map(Int.init) ?? 268_435_460
        topicAliasMaximum = Int(properties.topicAliasMaximum ?? 0)
        areWildcardsAvailable = properties.wildcardSubscriptionAvailable != 0
        areSubscriptionIdentifiersAvailable =
            connect.version == .v5 && properties.subscriptionIdentifierAvailable != 0
        areSharedSubscriptionsAvailable = properties.sharedSubscriptionAvailable != 0
        keepAlive = properties.serverKeepAlive ?? connect.keepAlive
        sessionExpiryInterval =
            connect.version == .v5
            ? properties.sessionExpiryInterval ?? connect.properties.sessionExpiryInterval ?? 0 : nil
        responseInformation = properties.responseInformation
        self.properties = properties
    }
}
