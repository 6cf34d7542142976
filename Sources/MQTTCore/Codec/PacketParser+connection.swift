internal import NIOCore

extension PacketParser {
    mutating func parseConnect(
        _ header: FixedHeader, _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Connect {
        let version = try parseProtocol(&cursor)
        // Known from here on, so that a refusal can be written in the client's version.
        if self.version == nil { self.version = version }
        if version == .v5 && !header.isShortest { throw .malformed("remaining length is not in its shortest form") }
        let flags = ConnectFlags(rawValue: try cursor.readUInt8("connect flags"))
        try flags.check(version)
        var connect = Connect(version: version)
        connect.cleanStart = flags.contains(.cleanStart)
        connect.keepAlive = try cursor.readUInt16("keep alive")
        if version == .v5 {
            connect.properties = try cursor.readProperties(.connect, slicing: buffer).unshared()
            try checkAuthentication(connect.properties)
        }
        connect.clientID = try cursor.readString("client identifier")
        if flags.contains(.will) { connect.will = try parseWill(flags, version, &cursor, slicing: buffer) }
        if flags.contains(.username) { connect.username = try cursor.readString("user name") }
        if flags.contains(.password) {
            connect.password = try cursor.readBinary("password", slicing: buffer).unshared()
        }
        return connect
    }

    private mutating func parseProtocol(_ cursor: inout ByteCursor) throws(MQTTXError) -> ProtocolVersion {
        let name = try cursor.readString("protocol name")
        let level = try cursor.readUInt8("protocol level")
        requestedProtocolLevel = level
        guard name == "MQTT" else {
            throw MQTTXError(
                .protocolViolation, "the protocol is '\(name)', not MQTT 3.1.1 or 5.0",
                reasonCode: .unsupportedProtocolVersion)
        }
        if level == ProtocolVersion.bridgeLevel { return .v3_1_1 }
        guard let version = ProtocolVersion(rawValue: level) else {
            throw MQTTXError(
                .protocolViolation, "MQTT protocol level \(level) is not supported",
                reasonCode: .unsupportedProtocolVersion)
        }
        return version
    }

    private mutating func parseWill(
        _ flags: ConnectFlags, _ version: ProtocolVersion, _ cursor: inout ByteCursor,
        slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Will {
        var properties = Properties()
        if version == .v5 {
            let read = try cursor.readProperties(.will, slicing: buffer) { (bytes) throws(MQTTXError) in
                try topics.responseTopic(bytes, mustBeName: true)
            }
            properties = read.unshared()
        }
        let topic = try cursor.readString("will topic")
        try TopicName.validate(topic)
        let payload = try cursor.readBinary("will payload", slicing: buffer).unshared()
        return Will(
            topic: topic, payload: payload, qos: flags.willQoS ?? .atMostOnce, retain: flags.contains(.willRetain),
            properties: properties)
    }

    func checkAuthentication(_ properties: Properties) throws(MQTTXError) {
        guard properties.authenticationData == nil || properties.authenticationMethod != nil else {
            throw .protocolError("authentication data without an authentication method")
        }
    }

    func parseConnAck(
        _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> ConnAck {
        let flags = try cursor.readUInt8("acknowledge flags")
        guard flags <= 1 else { throw .malformed("CONNACK has the acknowledge flags \(flags)") }
        var connack = ConnAck(sessionPresent: flags == 1)
        if version == .v5 {
            guard cursor.remaining != 1 else {
                throw MQTTXError(
                    .connectionFailed, "the CONNACK has the form of MQTT 3.1.1", reasonCode: .malformedPacket)
            }
            connack.reasonCode = try cursor.readReasonCode(of: .connack)
            connack.properties = try cursor.readProperties(.connack, slicing: buffer).unshared()
            try checkAuthentication(connack.properties)
        } else {
            let byte = try cursor.readUInt8("return code")
            guard let code = ReasonCode(connectReturnCode: byte) else {
                throw .protocolError("CONNACK has the return code \(byte)")
            }
            connack.reasonCode = code
        }
        guard !connack.sessionPresent || connack.reasonCode == .success else {
            throw .protocolError("CONNACK refuses the connection with a session present")
        }
        return connack
    }

    func parseDisconnect(
        _ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer
    ) throws(MQTTXError) -> Disconnect {
        var disconnect = Disconnect()
        guard version == .v5, !cursor.isAtEnd else { return disconnect }
        disconnect.reasonCode = try cursor.readReasonCode(of: .disconnect)
        if !cursor.isAtEnd { disconnect.properties = try cursor.readProperties(.disconnect, slicing: buffer) }
        guard role == .server || disconnect.properties.sessionExpiryInterval == nil else {
            throw .protocolError("a server's DISCONNECT has a session expiry interval")
        }
        return disconnect
    }

    func parseAuth(_ cursor: inout ByteCursor, slicing buffer: borrowing ByteBuffer) throws(MQTTXError) -> Auth {
        var auth = Auth()
        if !cursor.isAtEnd {
            auth.reasonCode = try cursor.readReasonCode(of: .auth)
            auth.properties = try cursor.readProperties(.auth, slicing: buffer).unshared()
            guard auth.properties.authenticationMethod != nil else {
                throw .protocolError("AUTH has no authentication method")
            }
        }
        guard auth.reasonCode != (role == .server ? .success : .reAuthenticate) else {
            throw .protocolError("a \(role) does not take AUTH with \(auth.reasonCode)")
        }
        return auth
    }
}

/// The connect flags (section 3.1.2.3).
struct ConnectFlags: OptionSet {
    let rawValue: UInt8

    static let reserved = ConnectFlags(rawValue: 1)
    static let cleanStart = ConnectFlags(rawValue: 1 << 1)
    static let will = ConnectFlags(rawValue: 1 << 2)
    static let willRetain = ConnectFlags(rawValue: 1 << 5)
    static let password = ConnectFlags(rawValue: 1 << 6)
    static let username = ConnectFlags(rawValue: 1 << 7)

    /// Nil for 3.
    var willQoS: QoS? { QoS(rawValue: rawValue >> 3 & 0b11) }

    func check(_ version: ProtocolVersion) throws(MQTTXError) {
        guard !contains(.reserved) else { throw .malformed("CONNECT has its reserved flag set") }
        guard let willQoS else { throw .malformed("CONNECT has a will at QoS 3") }
        guard contains(.will) || (willQoS == .atMostOnce && !contains(.willRetain)) else {
            throw .malformed("CONNECT has will flags without a will")
        }
        guard version == .v5 || contains(.username) || !contains(.password) else {
            throw .malformed("CONNECT has a password without a user name")
        }
    }
}
