internal import NIOCore

extension PacketEncoder {
    func encode(_ connect: Connect, into buffer: inout ByteBuffer) throws(MQTTXError) {
        guard connect.version == version else {
            throw .notEncodable("a CONNECT for MQTT \(connect.version) on a connection with MQTT \(version)")
        }
        guard version == .v5 || connect.password == nil || connect.username != nil else {
            throw .notEncodable("MQTT 3.1.1 has no password without a user name")
        }
        let propertySize = version == .v5 ? try EncodedSize.properties(connect.properties, .connect) : 0
        let willPropertySize =
            version == .v5 ? try EncodedSize.properties(connect.will?.properties ?? .init(), .will) : 0
        var size = 10 + sizeOnWire(propertySize)
        size += try EncodedSize.string(connect.clientID, "client identifier")
        if let will = connect.will {
            size += sizeOnWire(willPropertySize)
            size += try EncodedSize.topicName(will.topic)
            size += try EncodedSize.binary(will.payload, "will payload")
        }
        if let username = connect.username { size += try EncodedSize.string(username, "user name") }
        if let password = connect.password { size += try EncodedSize.binary(password, "password") }
        try write(.connect, size, into: &buffer) { writer in
            writer.writeString("MQTT")
            writer.write(version.rawValue)
            writer.write(ConnectFlags(connect).rawValue)
            writer.write(connect.keepAlive)
            if version == .v5 { writer.writeProperties(connect.properties, size: propertySize) }
            writer.writeString(connect.clientID)
            if let will = connect.will {
                if version == .v5 { writer.writeProperties(will.properties, size: willPropertySize) }
                writer.writeString(will.topic)
                writer.writeBinary(will.payload)
            }
            if let username = connect.username { writer.writeString(username) }
            if let password = connect.password { writer.writeBinary(password) }
        }
    }

    /// Properties with their length: nothing on 3.1.1.
    func sizeOnWire(_ propertySize: Int) -> Int {
        version == .v5 ? VariableByteInteger.size(of: propertySize) + propertySize : 0
    }

    func encode(_ connack: ConnAck, into buffer: inout ByteBuffer) throws(MQTTXError) {
        try check(connack.reasonCode, in: .connack)
        guard !connack.sessionPresent || connack.reasonCode == .success else {
            throw .notEncodable("a CONNACK that refuses can't have a session present")
        }
        let propertySize = version == .v5 ? try EncodedSize.properties(connack.properties, .connack) : 0
        try write(.connack, 2 + sizeOnWire(propertySize), into: &buffer) { writer in
            writer.write(connack.sessionPresent ? 1 : 0 as UInt8)
            if version == .v5 {
                writer.write(connack.reasonCode.rawValue)
                writer.writeProperties(connack.properties, size: propertySize)
            } else {
                writer.write(connack.reasonCode.connectReturnCode)
            }
        }
    }

    func encode(_ disconnect: Disconnect, into buffer: inout ByteBuffer) throws(MQTTXError) {
        guard version == .v5 else { return try write(.disconnect, 0, into: &buffer) { _ in } }
        try check(disconnect.reasonCode, in: .disconnect)
        try encode(.disconnect, disconnect.reasonCode, disconnect.properties, .disconnect, into: &buffer)
    }

    func encode(_ auth: Auth, into buffer: inout ByteBuffer) throws(MQTTXError) {
        guard version == .v5 else { throw .notEncodable("MQTT 3.1.1 has no AUTH") }
        try check(auth.reasonCode, in: .auth)
        guard auth.properties.authenticationMethod != nil || (auth.properties.isEmpty && auth.reasonCode == .success)
        else { throw .notEncodable("AUTH without an authentication method") }
        try encode(.auth, auth.reasonCode, auth.properties, .auth, into: &buffer)
    }

    /// DISCONNECT and AUTH, in their shortest form.
    private func encode(
        _ type: PacketType, _ reasonCode: ReasonCode, _ properties: Properties, _ allowed: PropertySet,
        into buffer: inout ByteBuffer
    ) throws(MQTTXError) {
        let propertySize = try EncodedSize.properties(properties, allowed)
        let isShort = propertySize == 0 && (type == .disconnect || reasonCode == .success)
        let size = isShort ? (reasonCode == .success ? 0 : 1) : 1 + sizeOnWire(propertySize)
        try write(type, size, into: &buffer) { writer in
            if size > 0 { writer.write(reasonCode.rawValue) }
            if size > 1 { writer.writeProperties(properties, size: propertySize) }
        }
    }
}

extension ConnectFlags {
    init(_ connect: Connect) {
        var flags = ConnectFlags()
        if connect.cleanStart { flags.insert(.cleanStart) }
        if let will = connect.will {
            flags.formUnion([.will, ConnectFlags(rawValue: will.qos.rawValue << 3)])
            if will.retain { flags.insert(.willRetain) }
        }
        if connect.username != nil { flags.insert(.username) }
        if connect.password != nil { flags.insert(.password) }
        self = flags
    }
}
