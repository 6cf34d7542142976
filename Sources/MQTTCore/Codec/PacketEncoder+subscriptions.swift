internal import NIOCore

extension PacketEncoder {
    func encode(_ subscribe: Subscribe, into buffer: inout ByteBuffer) throws(MQTTXError) {
        try check(packetID: subscribe.packetID)
        guard !subscribe.filters.isEmpty else { throw .notEncodable("SUBSCRIBE without a topic filter") }
        let propertySize = version == .v5 ? try EncodedSize.properties(subscribe.properties, .subscribe) : 0
        var size = 2 + sizeOnWire(propertySize)
        for request in subscribe.filters {
            size += 1 + (try EncodedSize.topicFilter(request.filter))
            guard version == .v3_1_1 || !request.options.noLocal || !request.filter.utf8.starts(with: "$share/".utf8)
            else { throw .notEncodable("a shared subscription can't have No Local set (MQTT-3.8.3-4)") }
        }
        try write(.subscribe, size, into: &buffer) { writer in
            writer.write(subscribe.packetID)
            if version == .v5 { writer.writeProperties(subscribe.properties, size: propertySize) }
            for request in subscribe.filters {
                writer.writeString(request.filter)
                writer.write(version == .v5 ? request.options.byte : request.options.qos.rawValue)
            }
        }
    }

    func encode(_ suback: SubAck, into buffer: inout ByteBuffer) throws(MQTTXError) {
        try check(packetID: suback.packetID)
        guard !suback.reasonCodes.isEmpty else { throw .notEncodable("SUBACK without a reason code") }
        for code in suback.reasonCodes { try check(code, in: .suback) }
        let propertySize = version == .v5 ? try EncodedSize.properties(suback.properties, .acknowledgement) : 0
        try write(.suback, 2 + sizeOnWire(propertySize) + suback.reasonCodes.count, into: &buffer) { writer in
            writer.write(suback.packetID)
            if version == .v5 { writer.writeProperties(suback.properties, size: propertySize) }
            for code in suback.reasonCodes {
                writer.write(version == .v3_1_1 && code.isError ? 0x80 : code.rawValue)
            }
        }
    }

    func encode(_ unsubscribe: Unsubscribe, into buffer: inout ByteBuffer) throws(MQTTXError) {
        try check(packetID: unsubscribe.packetID)
        guard !unsubscribe.filters.isEmpty else { throw .notEncodable("UNSUBSCRIBE without a topic filter") }
        let propertySize = version == .v5 ? try EncodedSize.properties(unsubscribe.properties, .unsubscribe) : 0
        var size = 2 + sizeOnWire(propertySize)
        for filter in unsubscribe.filters { size += try EncodedSize.topicFilter(filter) }
        try write(.unsubscribe, size, into: &buffer) { writer in
            writer.write(unsubscribe.packetID)
            if version == .v5 { writer.writeProperties(unsubscribe.properties, size: propertySize) }
            for filter in unsubscribe.filters { writer.writeString(filter) }
        }
    }

    func encode(_ unsuback: UnsubAck, into buffer: inout ByteBuffer) throws(MQTTXError) {
        try check(packetID: unsuback.packetID)
        guard version == .v5 else {
            return try write(.unsuback, 2, into: &buffer) { $0.write(unsuback.packetID) }
        }
        guard !unsuback.reasonCodes.isEmpty else { throw .notEncodable("UNSUBACK without a reason code") }
        for code in unsuback.reasonCodes { try check(code, in: .unsuback) }
        let propertySize = try EncodedSize.properties(unsuback.properties, .acknowledgement)
        try write(.unsuback, 2 + sizeOnWire(propertySize) + unsuback.reasonCodes.count, into: &buffer) { writer in
            writer.write(unsuback.packetID)
            writer.writeProperties(unsuback.properties, size: propertySize)
            for code in unsuback.reasonCodes { writer.write(code.rawValue) }
        }
    }
}

extension SubscriptionOptions {
    /// As MQTT 5.0 writes them (section 3.8.3.1).
    fileprivate var byte: UInt8 {
        qos.rawValue | (noLocal ? 0b0100 : 0) | (retainAsPublished ? 0b1000 : 0) | retainHandling.rawValue << 4
    }
}
