import ArgumentParser
import MQTTX

/// One `-D PACKET NAME VALUE`, as mosquitto's clients take it.
struct PropertyAssignment: ExpressibleByArgument, Sendable {
    enum Packet: String, Sendable {
        case connect, publish, subscribe, unsubscribe, disconnect, auth, will
    }

    static let userProperty = "user-property"
    /// Stands between the words while they travel as one argument; no property can hold it.
    private static let separator: Character = "\0"

    let packet: Packet
    let name: String
    let values: [String]

    /// Makes one argument of them.
    ///
    /// - Throws: `ValidationError` for what is no assignment.
    static func joined(_ words: ArraySlice<String>) throws -> String {
        let argument = words.joined(separator: String(separator))
        guard Self(argument: argument) != nil else {
            throw ValidationError("-D \(words.joined(separator: " ")): a property is PACKET NAME VALUE")
        }
        return argument
    }

    init?(argument: String) {
        var words = argument.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init)
        // The manual of mosquitto's clients has the packets in capitals.
        guard words.count > 2, let packet = Packet(rawValue: words.removeFirst().lowercased()) else { return nil }
        self.packet = packet
        name = words.removeFirst().lowercased()
        values = words
        guard values.count == (name == Self.userProperty ? 2 : 1) else { return nil }
    }

    private var value: String { values[0] }

    /// Says at once what can't be understood.
    func check() throws {
        switch packet {
        case .publish, .will:
            var properties = Properties()
            try apply(to: &properties)
        case .connect:
            var config = MQTTConfig()
            try apply(to: &config)
        case .disconnect where name == "session-expiry-interval":
            _ = try number(UInt32.self)
        case .disconnect where name == "reason-string":
            break
        case .subscribe where name == "subscription-identifier":
            _ = try number(in: 1...268_435_455)
        case .subscribe, .unsubscribe, .disconnect, .auth:
            guard packet != .auth, name == Self.userProperty else { throw unknown }
        }
    }

    /// Sets it on a PUBLISH or a will.
    func apply(to properties: inout Properties) throws {
        switch name {
        case "payload-format-indicator": properties.payloadFormatIndicator = try number(in: 0...1)
        case "message-expiry-interval": properties.messageExpiryInterval = try number()
        case "content-type": properties.contentType = value
        case "response-topic": properties.responseTopic = value
        case "correlation-data": properties.correlationData = ByteBuffer(string: value)
        case Self.userProperty: properties.userProperties.append(UserProperty(values[0], values[1]))
        case "will-delay-interval" where packet == .will: properties.willDelayInterval = try number()
        // The client assigns aliases by itself, as many as the broker takes.
        case "topic-alias" where packet == .publish: _ = try number(in: 1...UInt16.max)
        default: throw unknown
        }
    }

    /// Sets it on a CONNECT.
    func apply(to config: inout MQTTConfig) throws {
        switch name {
        case "session-expiry-interval": config.sessionExpiry = .seconds(Int64(try number(UInt32.self)))
        case "maximum-packet-size": config.maximumPacketSize = Int(try number(in: 1...UInt32.max))
        case "request-problem-information": config.requestsProblemInformation = try number(in: 0...1) != 0
        case "receive-maximum": config.receiveMaximum = try number(in: 1...UInt16.max)
        case "topic-alias-maximum": config.topicAliasMaximum = try number()
        case "request-response-information": config.requestsResponseInformation = try number(in: 0...1) != 0
        case Self.userProperty: config.connectProperties.append(UserProperty(values[0], values[1]))
        default: throw unknown
        }
    }

    var sessionExpiry: Duration? {
        packet == .disconnect && name == "session-expiry-interval" ? UInt32(value).map { .seconds(Int64($0)) } : nil
    }

    var reasonString: String? { packet == .disconnect && name == "reason-string" ? value : nil }

    var subscriptionIdentifier: Int? {
        packet == .subscribe && name == "subscription-identifier" ? Int(value) : nil
    }

    private func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws -> Number {
        try number(in: Number.min...Number.max)
    }

    private func number<Number: FixedWidthInteger>(in range: ClosedRange<Number>) throws -> Number {
        guard let number = Number(value), range.contains(number) else { throw outOfRange }
        return number
    }

    private var outOfRange: ValidationError {
        ValidationError("-D \(packet.rawValue) \(name): '\(value)' is not a number in range")
    }

    private var unknown: ValidationError {
        ValidationError("-D \(packet.rawValue) \(name): there is no such property, or it can't be set")
    }
}

extension [PropertyAssignment] {
    func userProperties(_ packet: PropertyAssignment.Packet) -> [UserProperty] {
        filter { $0.packet == packet && $0.name == PropertyAssignment.userProperty }
            .map { UserProperty($0.values[0], $0.values[1]) }
    }
}
