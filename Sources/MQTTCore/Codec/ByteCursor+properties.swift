internal import NIOCore

extension ByteCursor {
    /// The properties of a packet, their length first. `buffer` is where the bytes are; binary values are slices of it.
    ///
    /// - Parameter responseTopic: makes that property's string of its bytes.
    mutating func readProperties(
        _ allowed: PropertySet, slicing buffer: borrowing ByteBuffer,
        responseTopic: (UnsafeRawBufferPointer) throws(MQTTXError) -> String = Self.responseTopic
    ) throws(MQTTXError) -> Properties {
        let length = try readVariableByteInteger("property length")
        if length == 0 { return Properties() }
        var section = try split(length, "properties")
        // Not through the value, which asks at each change whether it may change what it refers to.
        let storage = Properties.Storage()
        var seen = PropertySet()
        // Of a message they stay as they are, together with its payload; they mostly follow each other.
        var userProperties = 0..<0
        while !section.isAtEnd {
            let start = section.offset
            let id = try section.readPropertyID()
            let bit = PropertySet(id)
            guard allowed.contains(bit) else { throw .malformed("property \(id) is not allowed in this packet") }
            let mayRepeat = id == .userProperty || (id == .subscriptionIdentifier && allowed == .publish)
            guard mayRepeat || !seen.contains(bit) else { throw .protocolError("property \(id) occurs twice") }
            seen.formUnion(bit)
            if id == .userProperty, allowed == .publish {
                try section.checkString("user property's name")
                try section.checkString("user property's value")
                if userProperties.upperBound != start {
                    storage.append(userProperties, of: buffer)
                    userProperties = start..<start
                }
                userProperties = userProperties.lowerBound..<section.offset
                continue
            }
            try section.readProperty(
                id, into: &storage.fields, slicing: buffer, responseTopic: responseTopic)
        }
        storage.append(userProperties, of: buffer)
        return Properties(storage)
    }

    private static func responseTopic(_ bytes: UnsafeRawBufferPointer) throws(MQTTXError) -> String {
        try String(mqtt: bytes, "response topic")
    }

    private mutating func readPropertyID() throws(MQTTXError) -> PropertyID {
        let raw = try readVariableByteInteger("property identifier")
        guard let byte = UInt8(exactly: raw), let id = PropertyID(rawValue: byte) else {
            throw .malformed("there is no property \(raw)")
        }
        return id
    }

    private mutating func readProperty(
        _ id: PropertyID, into fields: inout Properties.Fields, slicing buffer: borrowing ByteBuffer,
        responseTopic: (UnsafeRawBufferPointer) throws(MQTTXError) -> String
    ) throws(MQTTXError) {
        switch id {
        case .payloadFormatIndicator: fields.payloadFormatIndicator = try readByte(id)
        case .messageExpiryInterval: fields.messageExpiryInterval = try readFourBytes(id)
        case .contentType: fields.contentType = try readString("content type")
        case .responseTopic:
            let range = try readLengthPrefixed("response topic")
            fields.responseTopic = try responseTopic(UnsafeRawBufferPointer(rebasing: bytes[range]))
        case .correlationData: fields.correlationData = try readBinary("correlation data", slicing: buffer)
        case .subscriptionIdentifier:
            let value = UInt32(try readVariableByteInteger("subscription identifier"))
            fields.subscriptionIdentifiers.append(try checked(id, value))
        case .topicAlias: fields.topicAlias = try readTwoBytes(id)
        case .userProperty:
            let name = try readString("user property's name")
            fields.userProperties.append(UserProperty(name, try readString("user property's value")))
        default:
            try fields.withControl { (values) throws(MQTTXError) in
                try readProperty(id, into: &values, slicing: buffer)
            }
        }
    }

    private mutating func readProperty(
        _ id: PropertyID, into fields: inout Properties.Control.Values, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) {
        switch id {
        case .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
            .subscriptionIdentifier, .topicAlias, .userProperty:
            break
        case .sessionExpiryInterval: fields.sessionExpiryInterval = try readFourBytes(id)
        case .assignedClientIdentifier: fields.assignedClientIdentifier = try readString("assigned client identifier")
        case .serverKeepAlive: fields.serverKeepAlive = try readTwoBytes(id)
        case .authenticationMethod: fields.authenticationMethod = try readString("authentication method")
        case .authenticationData: fields.authenticationData = try readBinary("authentication data", slicing: buffer)
        case .requestProblemInformation: fields.requestProblemInformation = try readByte(id)
        case .willDelayInterval: fields.willDelayInterval = try readFourBytes(id)
        case .requestResponseInformation: fields.requestResponseInformation = try readByte(id)
        case .responseInformation: fields.responseInformation = try readString("response information")
        case .serverReference: fields.serverReference = try readString("server reference")
        case .reasonString: fields.reasonString = try readString("reason string")
        case .receiveMaximum: fields.receiveMaximum = try readTwoBytes(id)
        case .topicAliasMaximum: fields.topicAliasMaximum = try readTwoBytes(id)
        case .maximumQoS: fields.maximumQoS = try readByte(id)
        case .retainAvailable: fields.retainAvailable = try readByte(id)
        case .maximumPacketSize: fields.maximumPacketSize = try readFourBytes(id)
        case .wildcardSubscriptionAvailable: fields.wildcardSubscriptionAvailable = try readByte(id)
        case .subscriptionIdentifierAvailable: fields.subscriptionIdentifierAvailable = try readByte(id)
        case .sharedSubscriptionAvailable: fields.sharedSubscriptionAvailable = try readByte(id)
        }
    }

    private mutating func readByte(_ id: PropertyID) throws(MQTTXError) -> UInt8 {
        let value = try readUInt8("properties")
        _ = try checked(id, UInt32(value))
        return value
    }

    private mutating func readTwoBytes(_ id: PropertyID) throws(MQTTXError) -> UInt16 {
        let value = try readUInt16("properties")
        _ = try checked(id, UInt32(value))
        return value
    }

    private mutating func readFourBytes(_ id: PropertyID) throws(MQTTXError) -> UInt32 {
        try checked(id, try readUInt32("properties"))
    }

    private func checked(_ id: PropertyID, _ value: UInt32) throws(MQTTXError) -> UInt32 {
        if id.allows(value) { return value }
        throw MQTTXError(
            .protocolViolation, "property \(id) has the value \(value)",
            reasonCode: id == .topicAlias ? .topicAliasInvalid : .protocolError)
    }

    /// Binary data (section 1.5.6) as a slice of the buffer that the cursor reads.
    mutating func readBinary(
        _ what: StaticString, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> ByteBuffer {
        let range = try readLengthPrefixed(what)
        guard !range.isEmpty else { return ByteBuffer() }
        return buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }
}

extension Properties.Storage {
    /// Adds user properties that are somewhere in a buffer.
    fileprivate func append(_ userProperties: Range<Int>, of buffer: borrowing ByteBuffer) {
        guard !userProperties.isEmpty else { return }
        let start = buffer.readerIndex + userProperties.lowerBound
        guard let bytes = buffer.getSlice(at: start, length: userProperties.count) else { return }
        fields.userProperties.append(encoded: bytes)
    }
}
