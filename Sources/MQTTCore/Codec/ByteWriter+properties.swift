internal import NIOCore

extension ByteWriter {
    /// The length `size`, as ``EncodedSize`` computed it, and the properties.
    mutating func writeProperties(_ properties: Properties, size: Int, topicAlias: UInt16? = nil) {
        writeVariableByteInteger(size)
        guard size > 0 else { return }
        if let topicAlias { number(.topicAlias, topicAlias) }
        guard let storage = properties.storage else { return }
        write(storage.fields, ignoringTopicAlias: topicAlias != nil)
    }

    private mutating func write(_ fields: Properties.Fields, ignoringTopicAlias: Bool) {
        number(.payloadFormatIndicator, fields.payloadFormatIndicator)
        number(.messageExpiryInterval, fields.messageExpiryInterval)
        string(.contentType, fields.contentType)
        string(.responseTopic, fields.responseTopic)
        binary(.correlationData, fields.correlationData)
        for identifier in fields.subscriptionIdentifiers {
            write(PropertyID.subscriptionIdentifier.rawValue)
            writeVariableByteInteger(Int(identifier))
        }
        if !ignoringTopicAlias { number(.topicAlias, fields.topicAlias) }
        number(.sessionExpiryInterval, fields.sessionExpiryInterval)
        string(.assignedClientIdentifier, fields.assignedClientIdentifier)
        number(.serverKeepAlive, fields.serverKeepAlive)
        string(.authenticationMethod, fields.authenticationMethod)
        binary(.authenticationData, fields.authenticationData)
        number(.requestProblemInformation, fields.requestProblemInformation)
        number(.willDelayInterval, fields.willDelayInterval)
        number(.requestResponseInformation, fields.requestResponseInformation)
        string(.responseInformation, fields.responseInformation)
        string(.serverReference, fields.serverReference)
        string(.reasonString, fields.reasonString)
        number(.receiveMaximum, fields.receiveMaximum)
        number(.topicAliasMaximum, fields.topicAliasMaximum)
        number(.maximumQoS, fields.maximumQoS)
        number(.retainAvailable, fields.retainAvailable)
        number(.maximumPacketSize, fields.maximumPacketSize)
        number(.wildcardSubscriptionAvailable, fields.wildcardSubscriptionAvailable)
        number(.subscriptionIdentifierAvailable, fields.subscriptionIdentifierAvailable)
        number(.sharedSubscriptionAvailable, fields.sharedSubscriptionAvailable)
        for property in fields.userProperties {
            write(PropertyID.userProperty.rawValue)
            writeString(property.name)
            writeString(property.value)
        }
    }

    @inline(__always)
    private mutating func number(_ id: PropertyID, _ value: UInt8?) {
        guard let value else { return }
        write(id.rawValue)
        write(value)
    }

    @inline(__always)
    private mutating func number(_ id: PropertyID, _ value: UInt16?) {
        guard let value else { return }
        write(id.rawValue)
        write(value)
    }

    @inline(__always)
    private mutating func number(_ id: PropertyID, _ value: UInt32?) {
        guard let value else { return }
        write(id.rawValue)
        write(value)
    }

    @inline(__always)
    private mutating func string(_ id: PropertyID, _ value: String?) {
        guard let value else { return }
        write(id.rawValue)
        writeString(value)
    }

    @inline(__always)
    private mutating func binary(_ id: PropertyID, _ value: ByteBuffer?) {
        guard let value else { return }
        write(id.rawValue)
        writeBinary(value)
    }
}
