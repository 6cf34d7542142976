public import NIOCore

/// The properties of an MQTT 5.0 packet (section 2.2.2), typed. Which packet may carry which is checked when it is
/// encoded and decoded.
///
/// A value without properties is one empty pointer, so that messages without any cost nothing.
public struct Properties: Sendable {
    @usableFromInline var storage: Storage?

    /// No properties.
    @inlinable
    public init() { storage = nil }

    init(_ storage: Storage) { self.storage = storage }

    /// What requests and responses carry, in one step.
    package init(responseTopic: String? = nil, correlationData: ByteBuffer, userProperties: [UserProperty]) {
        let storage = Storage()
        storage.fields.responseTopic = responseTopic
        storage.fields.correlationData = correlationData
        storage.fields.userProperties = UserProperties(userProperties)
        self.storage = storage
    }

    /// Whether nothing is set.
    @inlinable
    public var isEmpty: Bool {
        guard let storage else { return true }
        return storage.isEmpty
    }

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
            storage!.section = nil
            yield &storage!.fields
        }
    }

    /// The bytes that a server read these properties from, without their length: what it passes on as it is. Nil once
    /// something has been changed, and where nobody passes anything on.
    package internal(set) var section: ByteBuffer? {
        get { storage?.section }
        set { storage?.section = newValue }
    }

    // Immutable once shared: `fields` copies before it writes, hence unchecked.
    @usableFromInline
    final class Storage: @unchecked Sendable {
        @exclusivity(unchecked)
        @usableFromInline var fields: Fields
        @exclusivity(unchecked)
        var section: ByteBuffer?

        init(_ fields: Fields = Fields()) { self.fields = fields }

        // Here, where each field is looked at in its place: to ask the fields as a whole would be to copy them.

        /// Whether nothing is set.
        @usableFromInline
        var isEmpty: Bool { fields.topicAlias == nil && hasOnlyTopicAlias }

        /// Whether something refers to the buffer that it was read from.
        var isShared: Bool {
            fields.correlationData != nil || fields.userProperties.encoded != nil || section != nil
                || fields.control?.values.authenticationData != nil
        }

        /// Whether nothing else is set. Looks first at what messages carry.
        var hasOnlyTopicAlias: Bool {
            fields.userProperties.isEmpty && fields.correlationData == nil && fields.responseTopic == nil
                && fields.subscriptionIdentifiers.isEmpty && fields.payloadFormatIndicator == nil
                && fields.messageExpiryInterval == nil && fields.contentType == nil
                && (fields.control == nil || fields.control?.values == Control.Values())
        }
    }

    /// What messages carry, and apart from it what only other packets do: a message is spared the latter.
    @usableFromInline
    package struct Fields: Equatable, Sendable {
        package var payloadFormatIndicator: UInt8?
        package var messageExpiryInterval: UInt32?
        package var contentType: String?
        package var responseTopic: String?
        package var correlationData: ByteBuffer?
        package var topicAlias: UInt16?
        var subscriptionIdentifiers = SubscriptionIdentifiers()
        var userProperties = UserProperties()
        /// Nil as long as none is set. Apart, so that a message has little to copy and to let go of.
        private(set) var control: Control?

        @usableFromInline
        package init() {}

        mutating func withControl<Failure>(
            _ body: (inout Control.Values) throws(Failure) -> Void
        ) throws(Failure) {
            var values = control?.values ?? Control.Values()
            try body(&values)
            control = Control(values)
        }

        @usableFromInline
        package static func == (lhs: Fields, rhs: Fields) -> Bool {
            lhs.payloadFormatIndicator == rhs.payloadFormatIndicator
                && lhs.messageExpiryInterval == rhs.messageExpiryInterval
                && lhs.contentType == rhs.contentType
                && lhs.responseTopic == rhs.responseTopic
                && lhs.correlationData == rhs.correlationData
                && lhs.topicAlias == rhs.topicAlias
                && lhs.subscriptionIdentifiers == rhs.subscriptionIdentifiers
                && lhs.userProperties == rhs.userProperties
                && (lhs.control?.values ?? Control.Values()) == (rhs.control?.values ?? Control.Values())
        }
    }

    /// The properties of all packets but PUBLISH, and of wills.
    final class Control: Sendable {
        let values: Values

        init(_ values: Values) { self.values = values }

        struct Values: Equatable, Sendable {
            var sessionExpiryInterval: UInt32?
            var assignedClientIdentifier: String?
            var serverKeepAlive: UInt16?
            var authenticationMethod: String?
            var authenticationData: ByteBuffer?
            var requestProblemInformation: UInt8?
            var willDelayInterval: UInt32?
            var requestResponseInformation: UInt8?
            var responseInformation: String?
            var serverReference: String?
            var reasonString: String?
            var receiveMaximum: UInt16?
            var topicAliasMaximum: UInt16?
            var maximumQoS: UInt8?
            var retainAvailable: UInt8?
            var maximumPacketSize: UInt32?
            var wildcardSubscriptionAvailable: UInt8?
            var subscriptionIdentifierAvailable: UInt8?
            var sharedSubscriptionAvailable: UInt8?
        }
    }
}

extension Properties: Equatable {
    /// Whether both say the same.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.storage === rhs.storage || lhs.fields == rhs.fields
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

    /// The memory, in bytes, that correlation data and user properties lie in together with other things.
    package var sharedCapacity: Int {
        guard let fields = storage?.fields else { return 0 }
        return max(fields.correlationData?.storageCapacity ?? 0, fields.userProperties.encoded?.storageCapacity ?? 0)
    }

    /// Asks without a copy.
    var hasCorrelationData: Bool { storage.map { $0.fields.correlationData != nil } ?? false }

    /// Seconds the session outlives the connection; 0xFFFFFFFF is for ever (CONNECT, CONNACK, DISCONNECT).
    public var sessionExpiryInterval: UInt32? {
        get { storage?.fields.control?.values.sessionExpiryInterval }
        set { setControl(\.sessionExpiryInterval, newValue) }
    }

    /// The client identifier the server chose (CONNACK).
    public var assignedClientIdentifier: String? {
        get { storage?.fields.control?.values.assignedClientIdentifier }
        set { setControl(\.assignedClientIdentifier, newValue) }
    }

    /// The keep alive, in seconds, that the server wants used (CONNACK).
    public var serverKeepAlive: UInt16? {
        get { storage?.fields.control?.values.serverKeepAlive }
        set { setControl(\.serverKeepAlive, newValue) }
    }

    /// The name of the enhanced authentication (CONNECT, CONNACK, AUTH).
    public var authenticationMethod: String? {
        get { storage?.fields.control?.values.authenticationMethod }
        set { setControl(\.authenticationMethod, newValue) }
    }

    /// What the authentication method exchanges (CONNECT, CONNACK, AUTH).
    public var authenticationData: ByteBuffer? {
        get { storage?.fields.control?.values.authenticationData }
        set { setControl(\.authenticationData, newValue) }
    }

    /// 0 asks for no reason strings and user properties on errors (CONNECT).
    public var requestProblemInformation: UInt8? {
        get { storage?.fields.control?.values.requestProblemInformation }
        set { setControl(\.requestProblemInformation, newValue) }
    }

    /// Seconds the server waits before it publishes the will (will).
    public var willDelayInterval: UInt32? {
        get { storage?.fields.control?.values.willDelayInterval }
        set { setControl(\.willDelayInterval, newValue) }
    }

    /// 1 asks for `responseInformation` (CONNECT).
    public var requestResponseInformation: UInt8? {
        get { storage?.fields.control?.values.requestResponseInformation }
        set { setControl(\.requestResponseInformation, newValue) }
    }

    /// The basis for response topics (CONNACK).
    public var responseInformation: String? {
        get { storage?.fields.control?.values.responseInformation }
        set { setControl(\.responseInformation, newValue) }
    }

    /// Another server to use (CONNACK, DISCONNECT).
    public var serverReference: String? {
        get { storage?.fields.control?.values.serverReference }
        set { setControl(\.serverReference, newValue) }
    }

    /// Why, for people (all answers, DISCONNECT, AUTH).
    public var reasonString: String? {
        get { storage?.fields.control?.values.reasonString }
        set { setControl(\.reasonString, newValue) }
    }

    /// How many QoS 1 and 2 messages the sender takes unacknowledged (CONNECT, CONNACK).
    public var receiveMaximum: UInt16? {
        get { storage?.fields.control?.values.receiveMaximum }
        set { setControl(\.receiveMaximum, newValue) }
    }

    /// The highest topic alias that the sender takes (CONNECT, CONNACK).
    public var topicAliasMaximum: UInt16? {
        get { storage?.fields.control?.values.topicAliasMaximum }
        set { setControl(\.topicAliasMaximum, newValue) }
    }

    /// A number that stands for the topic (PUBLISH).
    public var topicAlias: UInt16? {
        get { storage?.fields.topicAlias }
        set { if newValue != nil || storage != nil { fields.topicAlias = newValue } }
    }

    /// The highest QoS the server takes: 0 or 1 (CONNACK).
    public var maximumQoS: UInt8? {
        get { storage?.fields.control?.values.maximumQoS }
        set { setControl(\.maximumQoS, newValue) }
    }

    /// 0 if the server keeps no retained messages (CONNACK).
    public var retainAvailable: UInt8? {
        get { storage?.fields.control?.values.retainAvailable }
        set { setControl(\.retainAvailable, newValue) }
    }

    /// The largest packet, in bytes, that the sender takes (CONNECT, CONNACK).
    public var maximumPacketSize: UInt32? {
        get { storage?.fields.control?.values.maximumPacketSize }
        set { setControl(\.maximumPacketSize, newValue) }
    }

    /// 0 if the server takes no wildcards (CONNACK).
    public var wildcardSubscriptionAvailable: UInt8? {
        get { storage?.fields.control?.values.wildcardSubscriptionAvailable }
        set { setControl(\.wildcardSubscriptionAvailable, newValue) }
    }

    /// 0 if the server takes no subscription identifiers (CONNACK).
    public var subscriptionIdentifierAvailable: UInt8? {
        get { storage?.fields.control?.values.subscriptionIdentifierAvailable }
        set { setControl(\.subscriptionIdentifierAvailable, newValue) }
    }

    /// 0 if the server takes no shared subscriptions (CONNACK).
    public var sharedSubscriptionAvailable: UInt8? {
        get { storage?.fields.control?.values.sharedSubscriptionAvailable }
        set { setControl(\.sharedSubscriptionAvailable, newValue) }
    }

    /// One in a SUBSCRIBE; one for each matching subscription in a PUBLISH from the server. 1 to 268,435,455.
    public var subscriptionIdentifiers: [UInt32] {
        get { storage?.fields.subscriptionIdentifiers.array ?? [] }
        set {
            if !newValue.isEmpty || storage != nil {
                fields.subscriptionIdentifiers = SubscriptionIdentifiers(newValue)
            }
        }
    }

    package var hasSubscriptionIdentifiers: Bool { !(storage?.fields.subscriptionIdentifiers.isEmpty ?? true) }

    /// Whether this is one of ``subscriptionIdentifiers``.
    package func hasSubscriptionIdentifier(_ identifier: UInt32) -> Bool {
        storage?.fields.subscriptionIdentifiers.contains(identifier) ?? false
    }

    /// Name-value pairs of the application, in order. Of a message that came they are made each time they are asked for.
    public var userProperties: [UserProperty] {
        get { storage?.fields.userProperties.array ?? [] }
        set { if !newValue.isEmpty || storage != nil { fields.userProperties = UserProperties(newValue) } }
    }

    /// Names and values of ``userProperties`` as UTF-8.
    package func forEachUserProperty(
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        storage?.fields.userProperties.forEach(body)
    }

    /// Takes out what means nothing beyond the connection that the message came by.
    package mutating func removeTopicAlias() {
        guard storage?.fields.topicAlias != nil, let alone = storage?.hasOnlyTopicAlias else { return }
        if alone { storage = nil } else { fields.topicAlias = nil }
    }

    private mutating func setControl<Value>(_ member: WritableKeyPath<Control.Values, Value?>, _ value: Value?) {
        guard value != nil || storage?.fields.control != nil else { return }
        fields.withControl { $0[keyPath: member] = value }
    }

    /// The first user property of that name.
    public func userProperty(_ name: String) -> String? {
        storage?.fields.userProperties.first(name)
    }

    /// The same in memory of their own. Properties of a message that came share memory with other messages of the same read,
    /// all of which is kept as long as they are.
    public func unshared() -> Properties {
        guard let storage, storage.isShared else { return self }
        var copy = self
        copy.correlationData = storage.fields.correlationData?.unshared()
        copy.authenticationData = authenticationData?.unshared()
        copy.fields.userProperties = storage.fields.userProperties.unshared()
        copy.section = storage.section?.unshared()
        return copy
    }
}
