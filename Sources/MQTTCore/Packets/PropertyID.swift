/// The identifiers of the properties on the wire (section 2.2.2.2).
package enum PropertyID: UInt8, CaseIterable {
    case payloadFormatIndicator = 1
    case messageExpiryInterval = 2
    case contentType = 3
    case responseTopic = 8
    case correlationData = 9
    case sessionExpiryInterval = 17
    case assignedClientIdentifier = 18
    case serverKeepAlive = 19
    case authenticationMethod = 21
    case authenticationData = 22
    case requestProblemInformation = 23
    case willDelayInterval = 24
    case requestResponseInformation = 25
    case responseInformation = 26
    case serverReference = 28
    case reasonString = 31
    case receiveMaximum = 33
    case topicAliasMaximum = 34
    case topicAlias = 35
    case maximumQoS = 36
    case retainAvailable = 37
    case maximumPacketSize = 39
    case wildcardSubscriptionAvailable = 40
    case subscriptionIdentifierAvailable = 41
    case sharedSubscriptionAvailable = 42
    case subscriptionIdentifier = 11
    case userProperty = 38
}
