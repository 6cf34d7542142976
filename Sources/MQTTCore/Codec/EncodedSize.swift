internal import NIOCore

/// How many bytes values take on the wire; refuses those that can't be written at all.
enum EncodedSize {
    /// A UTF-8 encoded string: at most 65,535 bytes, no U+0000 (section 1.5.4).
    static func string(_ string: String, _ what: StaticString) throws(MQTTXError) -> Int {
        let (count, hasNull) = string.withBytes { ($0.count, $0.contains(0, or: 0, or: 0)) }
        guard count <= 65_535 else { throw .notEncodable("\(what) has \(count) bytes, more than 65535") }
        guard !hasNull else { throw MQTTXError(.invalidUTF8, "\(what) contains U+0000") }
        return 2 + count
    }

    /// Binary data: at most 65,535 bytes (section 1.5.6).
    static func binary(_ buffer: borrowing ByteBuffer, _ what: StaticString) throws(MQTTXError) -> Int {
        let count = buffer.readableBytes
        guard count <= 65_535 else { throw .notEncodable("\(what) has \(count) bytes, more than 65535") }
        return 2 + count
    }

    static func topicName(_ topic: String) throws(MQTTXError) -> Int {
        let (count, fault) = topic.withBytes { ($0.count, TopicName.fault(in: $0)) }
        if let fault { throw TopicName.error(fault, topic) }
        return 2 + count
    }

    static func topicFilter(_ filter: String) throws(MQTTXError) -> Int {
        guard !filter.isEmpty, filter.utf8.count <= TopicName.maximumLength else {
            throw MQTTXError(
                .invalidTopic, "topic filter has \(filter.utf8.count) bytes, not 1 to \(TopicName.maximumLength)",
                reasonCode: .topicFilterInvalid)
        }
        return try string(filter, "topic filter")
    }

    /// Properties without the length that goes before them, which are `allowed` in the packet.
    static func properties(
        _ properties: Properties, _ allowed: PropertySet, topicAlias: UInt16? = nil
    ) throws(MQTTXError) -> Int {
        var size = 0
        if let topicAlias {
            guard topicAlias > 0 else { throw .notEncodable("topic alias is 0") }
            size = 3
        }
        guard let storage = properties.storage else { return size }
        var counter = PropertyCounter(allowed: allowed, size: size)
        try counter.add(storage, ignoringTopicAlias: topicAlias != nil)
        return counter.size
    }
}

/// Adds up the size of properties and checks each of them. Asks the storage for one after another: all at once would be a
/// copy.
private struct PropertyCounter {
    let allowed: PropertySet
    var size: Int

    mutating func add(_ storage: Properties.Storage, ignoringTopicAlias: Bool) throws(MQTTXError) {
        try number(.payloadFormatIndicator, storage.fields.payloadFormatIndicator)
        try number(.messageExpiryInterval, storage.fields.messageExpiryInterval)
        try string(.contentType, storage.fields.contentType, "content type")
        try string(.responseTopic, storage.fields.responseTopic, "response topic")
        try binary(.correlationData, storage.fields.correlationData, "correlation data")
        try storage.fields.subscriptionIdentifiers.forEach { (identifier) throws(MQTTXError) in
            try check(.subscriptionIdentifier, identifier)
            size += 1 + VariableByteInteger.size(of: Int(identifier))
        }
        if !ignoringTopicAlias { try number(.topicAlias, storage.fields.topicAlias) }
        if let encoded = storage.fields.userProperties.encoded {
            try check(.userProperty, 0)
            size += encoded.readableBytes
        } else {
            for property in storage.fields.userProperties.array {
                try check(.userProperty, 0)
                size += 1
                size += try EncodedSize.string(property.name, "user property's name")
                size += try EncodedSize.string(property.value, "user property's value")
            }
        }
        guard allowed != .subscribe || storage.fields.subscriptionIdentifiers.count <= 1 else {
            throw .notEncodable("SUBSCRIBE takes one subscription identifier")
        }
        if let control = storage.fields.control { try add(control.values) }
        if let topic = storage.fields.responseTopic, topic.withBytes({ TopicName.hasWildcard($0) }) {
            throw .invalidTopicName("response topic '\(topic)' contains a wildcard")
        }
    }

    @inline(never)
    private mutating func add(_ control: Properties.Control.Values) throws(MQTTXError) {
        try string(.reasonString, control.reasonString, "reason string")
        try number(.sessionExpiryInterval, control.sessionExpiryInterval)
        try string(.assignedClientIdentifier, control.assignedClientIdentifier, "assigned client identifier")
        try number(.serverKeepAlive, control.serverKeepAlive)
        try string(.authenticationMethod, control.authenticationMethod, "authentication method")
        try binary(.authenticationData, control.authenticationData, "authentication data")
        guard control.authenticationData == nil || control.authenticationMethod != nil else {
            throw .notEncodable("authentication data without an authentication method")
        }
        try number(.requestProblemInformation, control.requestProblemInformation)
        try number(.willDelayInterval, control.willDelayInterval)
        try number(.requestResponseInformation, control.requestResponseInformation)
        try string(.responseInformation, control.responseInformation, "response information")
        try string(.serverReference, control.serverReference, "server reference")
        try number(.receiveMaximum, control.receiveMaximum)
        try number(.topicAliasMaximum, control.topicAliasMaximum)
        try number(.maximumQoS, control.maximumQoS)
        try number(.retainAvailable, control.retainAvailable)
        try number(.maximumPacketSize, control.maximumPacketSize)
        try number(.wildcardSubscriptionAvailable, control.wildcardSubscriptionAvailable)
        try number(.subscriptionIdentifierAvailable, control.subscriptionIdentifierAvailable)
        try number(.sharedSubscriptionAvailable, control.sharedSubscriptionAvailable)
    }

    private func check(_ id: PropertyID, _ value: UInt32) throws(MQTTXError) {
        guard allowed.contains(PropertySet(id)) else {
            throw .notEncodable("property \(id) is not allowed in this packet")
        }
        guard id.allows(value) else { throw .notEncodable("property \(id) can't be \(value)") }
    }

    @inline(__always)
    private mutating func number<T: FixedWidthInteger & UnsignedInteger>(
        _ id: PropertyID, _ value: T?
    ) throws(MQTTXError) {
        guard let value else { return }
        try check(id, UInt32(truncatingIfNeeded: value))
        size += 1 + MemoryLayout<T>.size
    }

    @inline(__always)
    private mutating func string(_ id: PropertyID, _ value: String?, _ what: StaticString) throws(MQTTXError) {
        guard let value else { return }
        try check(id, 0)
        size += 1 + (try EncodedSize.string(value, what))
    }

    @inline(__always)
    private mutating func binary(_ id: PropertyID, _ value: ByteBuffer?, _ what: StaticString) throws(MQTTXError) {
        guard let value else { return }
        try check(id, 0)
        size += 1 + (try EncodedSize.binary(value, what))
    }
}
