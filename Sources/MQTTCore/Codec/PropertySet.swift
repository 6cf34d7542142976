/// Which properties a packet, or a will, may carry (section 2.2.2.2), one bit for each identifier.
struct PropertySet: OptionSet {
    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    init(_ ids: PropertyID...) { rawValue = ids.reduce(0) { $0 | (1 << UInt64($1.rawValue)) } }

    @inline(__always)
    init(_ id: PropertyID) { rawValue = 1 << UInt64(id.rawValue) }

    static let connect = PropertySet(
        .sessionExpiryInterval, .receiveMaximum, .maximumPacketSize, .topicAliasMaximum, .requestResponseInformation,
        .requestProblemInformation, .userProperty, .authenticationMethod, .authenticationData)
    static let will = PropertySet(
        .willDelayInterval, .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic,
        .correlationData, .userProperty)
    static let connack = PropertySet(
        .sessionExpiryInterval, .receiveMaximum, .maximumQoS, .retainAvailable, .maximumPacketSize,
        .assignedClientIdentifier, .topicAliasMaximum, .reasonString, .userProperty, .wildcardSubscriptionAvailable,
        .subscriptionIdentifierAvailable, .sharedSubscriptionAvailable, .serverKeepAlive, .responseInformation,
        .serverReference, .authenticationMethod, .authenticationData)
    static let publish = PropertySet(
        .payloadFormatIndicator, .messageExpiryInterval, .topicAlias, .responseTopic, .correlationData, .userProperty,
        .subscriptionIdentifier, .contentType)
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
    static let acknowledgement = PropertySet(.reasonString, .userProperty)
    static let subscribe = PropertySet(.subscriptionIdentifier, .userProperty)
    static let unsubscribe = PropertySet(.userProperty)
    static let disconnect = PropertySet(.sessionExpiryInterval, .reasonString, .userProperty, .serverReference)
    static let auth = PropertySet(.authenticationMethod, .authenticationData, .reasonString, .userProperty)
}

extension PropertyID {
    /// Whether a number is in the property's range: 0 or 1 for switches, never 0 where the specification says so.
    func allows(_ value: UInt32) -> Bool {
        switch self {
        case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .maximumQoS,
            .retainAvailable, .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable,
            .sharedSubscriptionAvailable:
            value <= 1
        case .receiveMaximum, .maximumPacketSize, .topicAlias:
            value > 0
        case .subscriptionIdentifier:
            value > 0 && value <= UInt32(VariableByteInteger.maximum)
        default:
            true
        }
    }
}
