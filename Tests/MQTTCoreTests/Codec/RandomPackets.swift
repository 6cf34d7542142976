import MQTTCore
import NIOCore
import TestSupport

extension SeededGenerator {
    mutating func bool() -> Bool { Bool.random(using: &self) }

    mutating func string(_ length: ClosedRange<Int> = 0...20) -> String {
        let alphabet: [Character] = ["a", "b", "z", "0", " ", "-", "é", "中", "\u{FEFF}", "😀", "\u{1}", "\u{7F}"]
        return String(
            (0..<Int.random(in: length, using: &self)).map { _ in alphabet.randomElement(using: &self) ?? "x" })
    }

    mutating func topic() -> String {
        (0...Int.random(in: 0...3, using: &self)).map { _ in string(1...6) }.joined(separator: "/")
    }

    mutating func buffer(_ length: ClosedRange<Int> = 0...40) -> ByteBuffer {
        ByteBuffer(
            bytes: (0..<Int.random(in: length, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) })
    }

    mutating func packetID() -> UInt16 { .random(in: 1 ... .max, using: &self) }
    mutating func qos() -> QoS { QoS.allCases.randomElement(using: &self) ?? .atMostOnce }

    mutating func code(_ codes: [ReasonCode]) -> ReasonCode { codes.randomElement(using: &self) ?? .success }

    mutating func userProperties() -> [UserProperty] {
        (0..<Int.random(in: 0...3, using: &self)).map { _ in UserProperty(string(), string()) }
    }

    mutating func answerProperties() -> Properties {
        .with {
            if bool() { $0.reasonString = string() }
            $0.userProperties = userProperties()
        }
    }

    mutating func messageProperties() -> Properties {
        .with {
            if bool() { $0.payloadFormatIndicator = UInt8.random(in: 0...1, using: &self) }
            if bool() { $0.messageExpiryInterval = .random(in: 0 ... .max, using: &self) }
            if bool() { $0.contentType = string() }
            if bool() { $0.responseTopic = topic() }
            if bool() { $0.correlationData = buffer() }
            $0.userProperties = userProperties()
        }
    }

    mutating func publish(_ version: ProtocolVersion) -> Publish {
        let qos = qos()
        var publish = Publish(
            topic: topic(), payload: buffer(0...300), qos: qos, retain: bool(), dup: qos != .atMostOnce && bool(),
            packetID: qos == .atMostOnce ? 0 : packetID())
        if version == .v5 {
            publish.properties = messageProperties()
            if bool() {
                publish.properties.topicAlias = .random(in: 1 ... .max, using: &self)
                if bool() { publish.topic = "" }
            }
        }
        return publish
    }

    mutating func connect(_ version: ProtocolVersion) -> Connect {
        let isV5 = version == .v5
        var connect = Connect(
            version: version, cleanStart: bool(), keepAlive: .random(in: 0 ... .max, using: &self), clientID: string())
        if bool() {
            connect.will = Will(
                topic: topic(), payload: buffer(), qos: qos(), retain: bool(),
                properties: isV5 ? messageProperties() : .init())
            if isV5 && bool() { connect.will?.properties.willDelayInterval = .random(in: 0 ... .max, using: &self) }
        }
        if bool() { connect.username = string() }
        if isV5 ? bool() : connect.username != nil { connect.password = buffer() }
        guard isV5 else { return connect }
        connect.properties = .with {
            if bool() { $0.sessionExpiryInterval = .random(in: 0 ... .max, using: &self) }
            if bool() { $0.receiveMaximum = .random(in: 1 ... .max, using: &self) }
            if bool() { $0.maximumPacketSize = .random(in: 1 ... .max, using: &self) }
            if bool() { $0.topicAliasMaximum = .random(in: 0 ... .max, using: &self) }
            if bool() { $0.requestResponseInformation = .random(in: 0...1, using: &self) }
            if bool() { $0.requestProblemInformation = .random(in: 0...1, using: &self) }
            $0.userProperties = userProperties()
            if bool() {
                $0.authenticationMethod = string()
                if bool() { $0.authenticationData = buffer() }
            }
        }
        return connect
    }

    mutating func connack(_ version: ProtocolVersion) -> ConnAck {
        guard version == .v5 else {
            let code = code([
                .success, .unsupportedProtocolVersion, .clientIdentifierNotValid, .serverUnavailable,
                .badUserNameOrPassword, .notAuthorized,
            ])
            return ConnAck(sessionPresent: code == .success && bool(), reasonCode: code)
        }
        let code = code([.success, .banned, .malformedPacket, .useAnotherServer, .badAuthenticationMethod])
        let properties = Properties.with {
            if bool() { $0.sessionExpiryInterval = .random(in: 0 ... .max, using: &self) }
            if bool() { $0.receiveMaximum = .random(in: 1 ... .max, using: &self) }
            if bool() { $0.maximumQoS = .random(in: 0...1, using: &self) }
            if bool() { $0.retainAvailable = .random(in: 0...1, using: &self) }
            if bool() { $0.maximumPacketSize = .random(in: 1 ... .max, using: &self) }
            if bool() { $0.assignedClientIdentifier = string() }
            if bool() { $0.topicAliasMaximum = .random(in: 0 ... .max, using: &self) }
            if bool() { $0.reasonString = string() }
            $0.userProperties = userProperties()
            if bool() { $0.wildcardSubscriptionAvailable = .random(in: 0...1, using: &self) }
            if bool() { $0.subscriptionIdentifierAvailable = .random(in: 0...1, using: &self) }
            if bool() { $0.sharedSubscriptionAvailable = .random(in: 0...1, using: &self) }
            if bool() { $0.serverKeepAlive = .random(in: 0 ... .max, using: &self) }
            if bool() { $0.responseInformation = string() }
            if bool() { $0.serverReference = string() }
            if bool() { $0.authenticationMethod = string() }
        }
        return ConnAck(sessionPresent: code == .success && bool(), reasonCode: code, properties: properties)
    }

    mutating func acknowledgement(_ version: ProtocolVersion, _ codes: [ReasonCode]) -> Acknowledgement {
        guard version == .v5 else { return Acknowledgement(packetID: packetID()) }
        return Acknowledgement(
            packetID: packetID(), reasonCode: code(codes), properties: bool() ? answerProperties() : .init())
    }

    mutating func subscribe(_ version: ProtocolVersion) -> Subscribe {
        var subscribe = Subscribe(packetID: packetID(), filters: [])
        for _ in 0...Int.random(in: 0...3, using: &self) {
            var options = SubscriptionOptions(qos: qos())
            if version == .v5 {
                options.noLocal = bool()
                options.retainAsPublished = bool()
                options.retainHandling = RetainHandling.allCases.randomElement(using: &self) ?? .doNotSend
            }
            subscribe.filters.append(SubscriptionRequest(topic(), options: options))
        }
        if version == .v5 {
            subscribe.properties.userProperties = userProperties()
            if bool() { subscribe.properties.subscriptionIdentifiers = [.random(in: 1...268_435_455, using: &self)] }
        }
        return subscribe
    }

    /// Any packet of the version, every type in its turn.
    mutating func packet(_ version: ProtocolVersion, _ type: PacketType) -> Packet {
        let isV5 = version == .v5
        switch type {
        case .connect: return .connect(connect(version))
        case .connack: return .connack(connack(version))
        case .publish: return .publish(publish(version))
        case .puback: return .puback(acknowledgement(version, [.success, .noMatchingSubscribers, .quotaExceeded]))
        case .pubrec: return .pubrec(acknowledgement(version, [.success, .notAuthorized, .payloadFormatInvalid]))
        case .pubrel: return .pubrel(acknowledgement(version, [.success, .packetIdentifierNotFound]))
        case .pubcomp: return .pubcomp(acknowledgement(version, [.success, .packetIdentifierNotFound]))
        case .subscribe: return .subscribe(subscribe(version))
        case .suback:
            let codes: [ReasonCode] =
                [.success, .grantedQoS1, .grantedQoS2, .unspecifiedError]
                + (isV5 ? [.topicFilterInvalid, .notAuthorized] : [])
            return .suback(
                SubAck(
                    packetID: packetID(),
                    reasonCodes: (0...Int.random(in: 0...4, using: &self)).map { _ in code(codes) },
                    properties: isV5 ? answerProperties() : .init()))
        case .unsubscribe:
            return .unsubscribe(
                Unsubscribe(
                    packetID: packetID(), filters: (0...Int.random(in: 0...3, using: &self)).map { _ in topic() },
                    properties: isV5 ? .with { $0.userProperties = userProperties() } : .init()))
        case .unsuback:
            guard isV5 else { return .unsuback(UnsubAck(packetID: packetID())) }
            return .unsuback(
                UnsubAck(
                    packetID: packetID(),
                    reasonCodes: (0...Int.random(in: 0...4, using: &self)).map { _ in
                        code([.success, .noSubscriptionExisted, .notAuthorized])
                    },
                    properties: answerProperties()))
        case .pingreq: return .pingreq
        case .pingresp: return .pingresp
        case .disconnect:
            guard isV5 else { return .disconnect(Disconnect()) }
            let codes: [ReasonCode] = [.success, .disconnectWithWill, .serverShuttingDown, .maximumConnectTime]
            return .disconnect(Disconnect(reasonCode: code(codes), properties: bool() ? answerProperties() : .init()))
        case .auth:
            let properties = Properties.with {
                $0.authenticationMethod = string()
                if bool() { $0.authenticationData = buffer() }
                $0.userProperties = userProperties()
            }
            return .auth(
                Auth(reasonCode: code([.success, .continueAuthentication, .reAuthenticate]), properties: properties))
        }
    }
}
