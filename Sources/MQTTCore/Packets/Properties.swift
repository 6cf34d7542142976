public import NIOCore

/// The properties of an MQTT 5.0 packet (section 2.2.2), typed. Which packet may carry which is checked when it is
/// encoded and decoded.
///
/// A value without properties is one empty pointer, so that messages without any cost nothing.
public struct Properties: Sendable {
    @usableFromInline var storage: Storage?

    @inlinable
    public init() { storage = nil }

    /// Whether nothing is set.
    @inlinable
    public var isEmpty: Bool { storage.map { $0.fields.isEmpty } ?? true }

    /// Properties with nothing but what the closure sets.
    public static func with(_ set: (inout Properties) -> Void) -> Properties {
        var properties = Properties()
        set(&properties)
        return properties
    }

    /// All properties as plain values; the codec reads and writes them in one step.
    package var fields: Fields {
        get { storage?.fields ?? Fields() }
        _modify {
            if storage == nil {
                storage = Storage()
            } else if !isKnownUniquelyReferenced(&storage) {
                storage = Storage(storage!.fields)
            }
            yield &storage!.fields
        }
    }

    // Immutable once shared: `fields` copies before it writes, hence unchecked.
    @usableFromInline
    final class Storage: @unchecked Sendable {
        @exclusivity(unchecked)
        @usableFromInline var fields: Fields

        init(_ fields: Fields = Fields()) { self.fields = fields }
    }

    @usableFromInline
    package struct Fields: Equatable, Sendable {
        package var payloadFormatIndicator: UInt8?
        package var messageExpiryInterval: UInt32?
        package var contentType: String?
        package var responseTopic: String?
        package var correlationData: ByteBuffer?
        package var sessionExpiryInterval: UInt32?
        package var assignedClientIdentifier: String?
        package var serverKeepAlive: UInt16?
        package var authenticationMethod: String?
        package var authenticationData: ByteBuffer?
        package var requestProblemInformation: UInt8?
        package var willDelayInterval: UInt32?
        package var requestResponseInformation: UInt8?
        package var responseInformation: String?
        package var serverReference: String?
        package var reasonString: String?
        package var receiveMaximum: UInt16?
        package var topicAliasMaximum: UInt16?
        package var topicAlias: UInt16?
        package var maximumQoS: UInt8?
        package var retainAvailable: UInt8?
        package var maximumPacketSize: UInt32?
        package var wildcardSubscriptionAvailable: UInt8?
        package var subscriptionIdentifierAvailable: UInt8?
        package var sharedSubscriptionAvailable: UInt8?
        package var subscriptionIdentifiers: [UInt32] = []
        package var userProperties: [UserProperty] = []

        @usableFromInline
        package init() {}

        /// Whether nothing is set. Looks first at what messages carry.
        @usableFromInline
        var isEmpty: Bool {
            userProperties.isEmpty && correlationData == nil && responseTopic == nil && subscriptionIdentifiers.isEmpty
                && self == Fields()
        }

        @usableFromInline
        package static func == (lhs: Fields, rhs: Fields) -> Bool {
            lhs.payloadFormatIndicator == rhs.payloadFormatIndicator
                && lhs.messageExpiryInterval == rhs.messageExpiryInterval
                && lhs.contentType == rhs.contentType
                && lhs.responseTopic == rhs.responseTopic
                && lhs.correlationData == rhs.correlationData
                && lhs.sessionExpiryInterval == rhs.sessionExpiryInterval
                && lhs.assignedClientIdentifier == rhs.assignedClientIdentifier
                && lhs.serverKeepAlive == rhs.serverKeepAlive
                && lhs.authenticationMethod == rhs.authenticationMethod
                && lhs.authenticationData == rhs.authenticationData
                && lhs.requestProblemInformation == rhs.requestProblemInformation
                && lhs.willDelayInterval == rhs.willDelayInterval
                && lhs.requestResponseInformation == rhs.requestResponseInformation
                && lhs.responseInformation == rhs.responseInformation
                && lhs.serverReference == rhs.serverReference
                && lhs.reasonString == rhs.reasonString
                && lhs.receiveMaximum == rhs.receiveMaximum
                && lhs.topicAliasMaximum == rhs.topicAliasMaximum
                && lhs.topicAlias == rhs.topicAlias
                && lhs.maximumQoS == rhs.maximumQoS
                && lhs.retainAvailable == rhs.retainAvailable
                && lhs.maximumPacketSize == rhs.maximumPacketSize
                && lhs.wildcardSubscriptionAvailable == rhs.wildcardSubscriptionAvailable
                && lhs.subscriptionIdentifierAvailable == rhs.subscriptionIdentifierAvailable
                && lhs.sharedSubscriptionAvailable == rhs.sharedSubscriptionAvailable
                && lhs.subscriptionIdentifiers == rhs.subscriptionIdentifiers
                && lhs.userProperties == rhs.userProperties
        }
    }
}

extension Properties: Equatable {
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.storage === rhs.storage || lhs.fields == rhs.fields
    }
}

/// A name and a value, chosen by the application; names may repeat and keep their order (section 2.2.2.2).
public struct UserProperty: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension Properties {
    /// 0 for bytes, 1 for UTF-8 text (PUBLISH, will).
    public var payloadFormatIndicator: UInt8? {
        get { storage?.fields.payloadFormatIndicator }
        set { if newValue != nil || storage != nil { fields.payloadFormatIndicator = newValue } }
    }

    /// Seconds the message may wait (PUBLISH, will).
    public var messageExpiryInterval: UInt32? {
        get { storage?.fields.messageExpiryInterval }
        set { if newValue != nil || storage != nil { fields.messageExpiryInterval = newValue } }
    }

    /// What the payload is, by agreement (PUBLISH, will).
    public var contentType: String? {
        get { storage?.fields.contentType }
        set { if newValue != nil || storage != nil { fields.contentType = newValue } }
    }

    /// Where a response is expected (PUBLISH, will).
    public var responseTopic: String? {
        get { storage?.fields.responseTopic }
        set { if newValue != nil || storage != nil { fields.responseTopic = newValue } }
    }

    /// Which request a response belongs to (PUBLISH, will).
    public var correlationData: ByteBuffer? {
        get { storage?.fields.correlationData }
        set { if newValue != nil || storage != nil { fields.correlationData = newValue } }
    }

    /// Seconds the session outlives the connection; 0xFFFFFFFF is for ever (CONNECT, CONNACK, DISCONNECT).
    public var sessionExpiryInterval: UInt32? {
        get { storage?.fields.sessionExpiryInterval }
        set { if newValue != nil || storage != nil { fields.sessionExpiryInterval = newValue } }
    }

    /// The client identifier the server chose (CONNACK).
    public var assignedClientIdentifier: String? {
        get { storage?.fields.assignedClientIdentifier }
        set { if newValue != nil || storage != nil { fields.assignedClientIdentifier = newValue } }
    }

    /// The keep alive, in seconds, that the server wants used (CONNACK).
    public var serverKeepAlive: UInt16? {
        get { storage?.fields.serverKeepAlive }
        set { if newValue != nil || storage != nil { fields.serverKeepAlive = newValue } }
    }

    /// The name of the enhanced authentication (CONNECT, CONNACK, AUTH).
    public var authenticationMethod: String? {
        get { storage?.fields.authenticationMethod }
        set { if newValue != nil || storage != nil { fields.authenticationMethod = newValue } }
    }

    /// What the authentication method exchanges (CONNECT, CONNACK, AUTH).
    public var authenticationData: ByteBuffer? {
        get { storage?.fields.authenticationData }
        set { if newValue != nil || storage != nil { fields.authenticationData = newValue } }
    }

    /// 0 asks for no reason strings and user properties on errors (CONNECT).
    public var requestProblemInformation: UInt8? {
        get { storage?.fields.requestProblemInformation }
        set { if newValue != nil || storage != nil { fields.requestProblemInformation = newValue } }
    }

    /// Seconds the server waits before it publishes the will (will).
    public var willDelayInterval: UInt32? {
        get { storage?.fields.willDelayInterval }
        set { if newValue != nil || storage != nil { fields.willDelayInterval = newValue } }
    }

    /// 1 asks for `responseInformation` (CONNECT).
    public var requestResponseInformation: UInt8? {
        get { storage?.fields.requestResponseInformation }
        set { if newValue != nil || storage != nil { fields.requestResponseInformation = newValue } }
    }

    /// The basis for response topics (CONNACK).
    public var responseInformation: String? {
        get { storage?.fields.responseInformation }
        set { if newValue != nil || storage != nil { fields.responseInformation = newValue } }
    }

    /// Another server to use (CONNACK, DISCONNECT).
    public var serverReference: String? {
        get { storage?.fields.serverReference }
        set { if newValue != nil || storage != nil { fields.serverReference = newValue } }
    }

    /// Why, for people (all answers, DISCONNECT, AUTH).
    public var reasonString: String? {
        get { storage?.fields.reasonString }
        set { if newValue != nil || storage != nil { fields.reasonString = newValue } }
    }

    /// How many QoS 1 and 2 messages the sender takes unacknowledged (CONNECT, CONNACK).
    public var receiveMaximum: UInt16? {
        get { storage?.fields.receiveMaximum }
        set { if newValue != nil || storage != nil { fields.receiveMaximum = newValue } }
    }

    /// The highest topic alias that the sender takes (CONNECT, CONNACK).
    public var topicAliasMaximum: UInt16? {
        get { storage?.fields.topicAliasMaximum }
        set { if newValue != nil || storage != nil { fields.topicAliasMaximum = newValue } }
    }

    /// A number that stands for the topic (PUBLISH).
    public var topicAlias: UInt16? {
        get { storage?.fields.topicAlias }
        set { if newValue != nil || storage != nil { fields.topicAlias = newValue } }
    }

    /// The highest QoS the server takes: 0 or 1 (CONNACK).
    public var maximumQoS: UInt8? {
        get { storage?.fields.maximumQoS }
        set { if newValue != nil || storage != nil { fields.maximumQoS = newValue } }
    }

    /// 0 if the server keeps no retained messages (CONNACK).
    public var retainAvailable: UInt8? {
        get { storage?.fields.retainAvailable }
        set { if newValue != nil || storage != nil { fields.retainAvailable = newValue } }
    }

    /// The largest packet, in bytes, that the sender takes (CONNECT, CONNACK).
    public var maximumPacketSize: UInt32? {
        get { storage?.fields.maximumPacketSize }
        set { if newValue != nil || storage != nil { fields.maximumPacketSize = newValue } }
    }

    /// 0 if the server takes no wildcards (CONNACK).
    public var wildcardSubscriptionAvailable: UInt8? {
        get { storage?.fields.wildcardSubscriptionAvailable }
        set { if newValue != nil || storage != nil { fields.wildcardSubscriptionAvailable = newValue } }
    }

    /// 0 if the server takes no subscription identifiers (CONNACK).
    public var subscriptionIdentifierAvailable: UInt8? {
        get { storage?.fields.subscriptionIdentifierAvailable }
        set { if newValue != nil || storage != nil { fields.subscriptionIdentifierAvailable = newValue } }
    }

    /// 0 if the server takes no shared subscriptions (CONNACK).
    public var sharedSubscriptionAvailable: UInt8? {
        get { storage?.fields.sharedSubscriptionAvailable }
        set { if newValue != nil || storage != nil { fields.sharedSubscriptionAvailable = newValue } }
    }

    /// One in a SUBSCRIBE; one for each matching subscription in a PUBLISH from the server. 1 to 268,435,455.
    public var subscriptionIdentifiers: [UInt32] {
        get { storage?.fields.subscriptionIdentifiers ?? [] }
        set { if !newValue.isEmpty || storage != nil { fields.subscriptionIdentifiers = newValue } }
    }

    /// Name-value pairs of the application, in order.
    public var userProperties: [UserProperty] {
        get { storage?.fields.userProperties ?? [] }
        set { if !newValue.isEmpty || storage != nil { fields.userProperties = newValue } }
    }

    /// The first user property of that name.
    public func userProperty(_ name: String) -> String? {
        storage?.fields.userProperties.first { $0.name == name }?.value
    }
}
