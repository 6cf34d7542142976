internal import NIOCore

extension ByteWriter {
    /// The length `size`, as ``EncodedSize`` computed it, and the properties.
    mutating func writeProperties(_ properties: Properties, size: Int, topicAlias: UInt16? = nil) {
        writeVariableByteInteger(size)
        guard size > 0 else { return }
        if let topicAlias { number(.topicAlias, topicAlias) }
        guard let storage = properties.storage else { return }
        write(storage, ignoringTopicAlias: topicAlias != nil)
    }

    private mutating func write(_ storage: Properties.Storage, ignoringTopicAlias: Bool) {
        number(.payloadFormatIndicator, storage.fields.payloadFormatIndicator)
        number(.messageExpiryInterval, storage.fields.messageExpiryInterval)
        string(.contentType, storage.fields.contentType)
        string(.responseTopic, storage.fields.responseTopic)
        binary(.correlationData, storage.fields.correlationData)
        for identifier in storage.fields.subscriptionIdentifiers {
            write(PropertyID.subscriptionIdentifier.rawValue)
            writeVariableByteInteger(Int(identifier))
        }
        if !ignoringTopicAlias { number(.topicAlias, storage.fields.topicAlias) }
        number(.sessionExpiryInterval, storage.fields.sessionExpiryInterval)
        string(.assignedClientIdentifier, storage.fields.assignedClientIdentifier)
        number(.serverKeepAlive, storage.fields.serverKeepAlive)
        string(.authenticationMethod, storage.fields.authenticationMethod)
        binary(.authenticationData, storage.fields.authenticationData)
        number(.requestProblemInformation, storage.fields.requestProblemInformation)
        number(.willDelayInterval, storage.fields.willDelayInterval)
        number(.requestResponseInformation, storage.fields.requestResponseInformation)
        string(.responseInformation, storage.fields.responseInformation)
        string(.serverReference, storage.fields.serverReference)
        string(.reasonString, storage.fields.reasonString)
        number(.receiveMaximum, storage.fields.receiveMaximum)
        number(.topicAliasMaximum, storage.fields.topicAliasMaximum)
        number(.maximumQoS, storage.fields.maximumQoS)
        number(.retainAvailable, storage.fields.retainAvailable)
        number(.maximumPacketSize, storage.fields.maximumPacketSize)
        number(.wildcardSubscriptionAvailable, storage.fields.wildcardSubscriptionAvailable)
        number(.subscriptionIdentifierAvailable, storage.fields.subscriptionIdentifierAvailable)
        number(.sharedSubscriptionAvailable, storage.fields.sharedSubscriptionAvailable)
        for property in storage.fields.userProperties {
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
