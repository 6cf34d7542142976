internal import NIOCore

extension PacketParser {
    func parseSubscribe(
        _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Subscribe {
        let packetID = try cursor.readPacketID()
        var subscribe = Subscribe(packetID: packetID, filters: [])
        if version == .v5 { subscribe.properties = try cursor.readProperties(.subscribe, slicing: buffer) }
        while !cursor.isAtEnd {
            let filter = try parseFilter(&cursor)
            let options = try parseOptions(try cursor.readUInt8("subscription options"))
            guard !options.noLocal || !filter.utf8.starts(with: "$share/".utf8) else {
                throw .protocolError("shared subscription '\(filter)' has No Local set")
            }
            subscribe.filters.append(SubscriptionRequest(filter, options: options))
        }
        guard !subscribe.filters.isEmpty else { throw .protocolError("SUBSCRIBE has no topic filter") }
        return subscribe
    }

    private func parseFilter(_ cursor: inout ByteCursor) throws(MQTTXError) -> String {
        let filter = try cursor.readString("topic filter")
        guard !filter.isEmpty else {
            throw MQTTXError(.invalidTopic, "topic filter is empty", reasonCode: .topicFilterInvalid)
        }
        return filter
    }

    private func parseOptions(_ byte: UInt8) throws(MQTTXError) -> SubscriptionOptions {
        guard byte & (version == .v5 ? 0b1100_0000 : 0b1111_1100) == 0 else {
            throw .malformed("subscription options have reserved bits set")
        }
        guard let qos = QoS(rawValue: byte & 0b11) else { throw .protocolError("subscription asks for QoS 3") }
        guard let retainHandling = RetainHandling(rawValue: byte >> 4 & 0b11) else {
            throw .protocolError("subscription has retain handling 3")
        }
        return SubscriptionOptions(
            qos: qos, noLocal: byte & 0b0100 != 0, retainAsPublished: byte & 0b1000 != 0,
            retainHandling: retainHandling)
    }

    func parseSubAck(_ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer) throws(MQTTXError) -> SubAck {
        var suback = SubAck(packetID: try cursor.readPacketID(), reasonCodes: [])
        if version == .v5 { suback.properties = try cursor.readProperties(.acknowledgement, slicing: buffer) }
        suback.reasonCodes.reserveCapacity(cursor.remaining)
        while !cursor.isAtEnd {
            let code = try cursor.readReasonCode(of: .suback)
            guard version == .v5 || code.rawValue <= 2 || code == .unspecifiedError else {
                throw .protocolError("SUBACK has the return code \(code.rawValue)")
            }
            suback.reasonCodes.append(code)
        }
        guard !suback.reasonCodes.isEmpty else { throw .protocolError("SUBACK has no reason code") }
        return suback
    }

    func parseUnsubscribe(
        _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Unsubscribe {
        var unsubscribe = Unsubscribe(packetID: try cursor.readPacketID(), filters: [])
        if version == .v5 { unsubscribe.properties = try cursor.readProperties(.unsubscribe, slicing: buffer) }
        while !cursor.isAtEnd { unsubscribe.filters.append(try parseFilter(&cursor)) }
        guard !unsubscribe.filters.isEmpty else { throw .protocolError("UNSUBSCRIBE has no topic filter") }
        return unsubscribe
    }

    func parseUnsubAck(
        _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> UnsubAck {
        var unsuback = UnsubAck(packetID: try cursor.readPacketID())
        guard version == .v5 else { return unsuback }
        unsuback.properties = try cursor.readProperties(.acknowledgement, slicing: buffer)
        while !cursor.isAtEnd { unsuback.reasonCodes.append(try cursor.readReasonCode(of: .unsuback)) }
        guard !unsuback.reasonCodes.isEmpty else { throw .protocolError("UNSUBACK has no reason code") }
        return unsuback
    }
}
