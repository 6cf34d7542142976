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
        storage.fields.subscriptionIdentifiers.forEach { identifier in
            write(PropertyID.subscriptionIdentifier.rawValue)
            writeVariableByteInteger(Int(identifier))
        }
        if !ignoringTopicAlias { number(.topicAlias, storage.fields.topicAlias) }
        if let encoded = storage.fields.userProperties.encoded {
            write(encoded)
        } else {
            for property in storage.fields.userProperties.array {
                write(PropertyID.userProperty.rawValue)
                writeString(property.name)
                writeString(property.value)
            }
        }
        if let control = storage.fields.control { write(control.values) }
    }

    @inline(never)
    private mutating func write(_ control: Properties.Control.Values) {
        number(.sessionExpiryInterval, control.sessionExpiryInterval)
        string(.assignedClientIdentifier, control.assignedClientIdentifier)
        number(.serverKeepAlive, control.serverKeepAlive)
        string(.authenticationMethod, control.authenticationMethod)
        binary(.authenticationData, control.authenticationData)
        number(.requestProblemInformation, control.requestProblemInformation)
        number(.willDelayInterval, control.willDelayInterval)
        number(.requestResponseInformation, control.requestResponseInformation)
        string(.responseInformation, control.responseInformation)
        string(.serverReference, control.serverReference)
        string(.reasonString, control.reasonString)
        number(.receiveMaximum, control.receiveMaximum)
        number(.topicAliasMaximum, control.topicAliasMaximum)
        number(.maximumQoS, control.maximumQoS)
        number(.retainAvailable, control.retainAvailable)
        number(.maximumPacketSize, control.maximumPacketSize)
        number(.wildcardSubscriptionAvailable, control.wildcardSubscriptionAvailable)
        number(.subscriptionIdentifierAvailable, control.subscriptionIdentifierAvailable)
        number(.sharedSubscriptionAvailable, control.sharedSubscriptionAvailable)
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
