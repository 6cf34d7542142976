/// A reason code of MQTT 5.0 (section 2.4). The return codes of MQTT 3.1.1 are translated to these.
public enum ReasonCode: UInt8, Sendable, Hashable, CaseIterable {
    /// Success; also *Normal disconnection* and *Granted QoS 0*.
    case success = 0x00
    /// Subscribed, at QoS 1 at most (SUBACK).
    case grantedQoS1 = 0x01
    /// Subscribed, at QoS 2 at most (SUBACK).
    case grantedQoS2 = 0x02
    /// The client leaves, and its will is to be published (DISCONNECT).
    case disconnectWithWill = 0x04
    /// Taken, but nobody has subscribed (PUBACK, PUBREC).
    case noMatchingSubscribers = 0x10
    /// There was no such subscription (UNSUBACK).
    case noSubscriptionExisted = 0x11
    /// Another step is to follow (AUTH).
    case continueAuthentication = 0x18
    /// The client authenticates anew (AUTH).
    case reAuthenticate = 0x19
    /// Refused, and no reason is given, or no other fits.
    case unspecifiedError = 0x80
    /// The packet can't be read.
    case malformedPacket = 0x81
    /// The packet is not allowed, or not at this time.
    case protocolError = 0x82
    /// Valid, but not taken here.
    case implementationSpecificError = 0x83
    /// That version is not spoken (CONNACK).
    case unsupportedProtocolVersion = 0x84
    /// That client identifier is not taken (CONNACK).
    case clientIdentifierNotValid = 0x85
    /// User name or password is wrong (CONNACK).
    case badUserNameOrPassword = 0x86
    /// The client may not do that.
    case notAuthorized = 0x87
    /// The server can't be used at present (CONNACK).
    case serverUnavailable = 0x88
    /// The server has too much to do.
    case serverBusy = 0x89
    /// The client is shut out (CONNACK).
    case banned = 0x8A
    /// The server stops (DISCONNECT).
    case serverShuttingDown = 0x8B
    /// That authentication method is not known, or not the one begun with.
    case badAuthenticationMethod = 0x8C
    /// Nothing came for one and a half times the keep alive (DISCONNECT).
    case keepAliveTimeout = 0x8D
    /// Another connection has the client identifier now (DISCONNECT).
    case sessionTakenOver = 0x8E
    /// The filter is well formed, but not taken.
    case topicFilterInvalid = 0x8F
    /// The topic is well formed, but not taken.
    case topicNameInvalid = 0x90
    /// The packet identifier stands for something else at present.
    case packetIdentifierInUse = 0x91
    /// Nothing is known by that packet identifier (PUBREL, PUBCOMP).
    case packetIdentifierNotFound = 0x92
    /// More messages unacknowledged than the Receive Maximum (DISCONNECT).
    case receiveMaximumExceeded = 0x93
    /// A topic alias of 0 or above the maximum (DISCONNECT).
    case topicAliasInvalid = 0x94
    /// Larger than the Maximum Packet Size.
    case packetTooLarge = 0x95
    /// Messages come too fast (DISCONNECT).
    case messageRateTooHigh = 0x96
    /// A limit is reached.
    case quotaExceeded = 0x97
    /// Somebody ended the connection (DISCONNECT).
    case administrativeAction = 0x98
    /// The payload is not what its format indicator says.
    case payloadFormatInvalid = 0x99
    /// No messages are retained here.
    case retainNotSupported = 0x9A
    /// QoS above the maximum.
    case qosNotSupported = 0x9B
    /// Another server is to be used, for this time.
    case useAnotherServer = 0x9C
    /// Another server is to be used from now on.
    case serverMoved = 0x9D
    /// No subscriptions are shared here.
    case sharedSubscriptionsNotSupported = 0x9E
    /// Connections come too fast.
    case connectionRateExceeded = 0x9F
    /// The connection has lasted as long as it may (DISCONNECT).
    case maximumConnectTime = 0xA0
    /// No subscription identifiers are taken here.
    case subscriptionIdentifiersNotSupported = 0xA1
    /// No filters with wildcards are taken here.
    case wildcardSubscriptionsNotSupported = 0xA2

    /// Codes of 0x80 and above say that something failed.
    public var isError: Bool { rawValue >= 0x80 }
}
