/// What a server offers its clients, and announces to those of MQTT 5.0 (section 3.2.2.3).
package struct ServerPolicy: Sendable, Equatable {
    /// PUBLISH of QoS 1 and 2 taken unacknowledged from one client. 1 to 65,535.
    package var receiveMaximum: UInt16
    /// In bytes with the fixed header.
    package var maximumPacketSize: UInt32
    package var topicAliasMaximum: UInt16
    package var maximumQoS: QoS
    package var isRetainAvailable: Bool
    package var areWildcardsAvailable: Bool
    package var areSharedSubscriptionsAvailable: Bool
    /// The longest a session may outlive its connection, in seconds; nil for ever.
    package var sessionExpiryLimit: UInt32?
    /// In seconds. Imposed on clients of MQTT 5.0 alone: 3.1.1 has no way to tell. Nil: see ``keepAlive(_:)``.
    package var maximumKeepAlive: UInt16?
    /// The largest payload of a will, in bytes; nil for no limit but that on the packet.
    package var maximumPayloadSize: Int?
    /// In bytes of UTF-8.
    package var maximumClientIDLength: Int
    /// For clients that ask for it (section 3.2.2.3.15).
    package var responseInformation: String?
    /// The methods of enhanced authentication that are known.
    package var authenticationMethods: Set<String>

    package init(
        receiveMaximum: UInt16 = 100, maximumPacketSize: UInt32 = 2 << 20, topicAliasMaximum: UInt16 = 32,
        maximumQoS: QoS = .exactlyOnce, isRetainAvailable: Bool = true, areWildcardsAvailable: Bool = true,
        areSharedSubscriptionsAvailable: Bool = true, sessionExpiryLimit: UInt32? = nil,
        maximumKeepAlive: UInt16? = nil, maximumPayloadSize: Int? = nil, maximumClientIDLength: Int = 65_535,
        responseInformation: String? = nil, authenticationMethods: Set<String> = []
    ) {
        self.receiveMaximum = receiveMaximum
        self.maximumPacketSize = maximumPacketSize
        self.topicAliasMaximum = topicAliasMaximum
        self.maximumQoS = maximumQoS
        self.isRetainAvailable = isRetainAvailable
        self.areWildcardsAvailable = areWildcardsAvailable
        self.areSharedSubscriptionsAvailable = areSharedSubscriptionsAvailable
        self.sessionExpiryLimit = sessionExpiryLimit
        self.maximumKeepAlive = maximumKeepAlive
        self.maximumPayloadSize = maximumPayloadSize
        self.maximumClientIDLength = maximumClientIDLength
        self.responseInformation = responseInformation
        self.authenticationMethods = authenticationMethods
    }

    /// How long a session lives that asked for so many seconds; nil for ever.
    package func sessionExpiry(_ asked: UInt32) -> UInt32? {
        guard let sessionExpiryLimit else { return asked == .max ? nil : asked }
        return min(asked, sessionExpiryLimit)
    }

    /// The keep alive in use where a client of MQTT 5.0 asked for so many seconds. Without a maximum of its own, the
    /// server still shortens long ones, so that dead clients are found, but asks nothing of those who want none.
    func keepAlive(_ asked: UInt16) -> UInt16 {
        guard let maximumKeepAlive else { return min(asked, Self.usualKeepAlive) }
        return asked == 0 ? maximumKeepAlive : min(asked, maximumKeepAlive)
    }

    private static let usualKeepAlive: UInt16 = 60

    func announce(in properties: inout Properties) {
        if receiveMaximum < .max { properties.receiveMaximum = receiveMaximum }
        properties.maximumPacketSize = maximumPacketSize
        if topicAliasMaximum > 0 { properties.topicAliasMaximum = topicAliasMaximum }
        if maximumQoS < .exactlyOnce { properties.maximumQoS = maximumQoS.rawValue }
        if !isRetainAvailable { properties.retainAvailable = 0 }
        if !areWildcardsAvailable { properties.wildcardSubscriptionAvailable = 0 }
        if !areSharedSubscriptionsAvailable { properties.sharedSubscriptionAvailable = 0 }
    }
}
