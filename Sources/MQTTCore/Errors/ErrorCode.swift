/// The stable number of an error: the same in logs, on the wire and in the Python package `mqttxx`.
///
/// Thousands are categories: 1xxx connection, 2xxx message, 3xxx RPC, 4xxx permission.
public struct ErrorCode: RawRepresentable, Hashable, Sendable, Comparable {
    /// The number, as peers in other languages know it.
    public let rawValue: Int

    /// A code by its number, known here or not.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Orders them by number.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension ErrorCode {
    /// The client has no connection. Connect first, or let the offline queue take the message.
    public static let notConnected = ErrorCode(rawValue: 1001)
    /// The connection could not be made: name not found, refused, or a CONNACK other than success.
    public static let connectionFailed = ErrorCode(rawValue: 1002)
    /// The connection ended before the operation was answered.
    public static let connectionLost = ErrorCode(rawValue: 1003)
    /// The broker refused a subscription.
    public static let subscribeFailed = ErrorCode(rawValue: 1004)
    /// The broker refused a message, or its outcome can't be known any more.
    public static let publishFailed = ErrorCode(rawValue: 1005)
    /// Another client connected with the same client identifier. The client does not reconnect after this.
    public static let sessionTakenOver = ErrorCode(rawValue: 1006)
    /// TLS could not be set up: a bad file, a bad certificate, a failed handshake.
    public static let tlsFailed = ErrorCode(rawValue: 1007)
    /// A bounded queue was full and its policy is to fail.
    public static let queueFull = ErrorCode(rawValue: 1008)
    /// The connection, or an answer from the broker, did not come in time.
    public static let connectionTimeout = ErrorCode(rawValue: 1009)

    /// The payload is not JSON.
    public static let invalidJSON = ErrorCode(rawValue: 2001)
    /// Text is not well-formed UTF-8, or holds a character MQTT forbids.
    public static let invalidUTF8 = ErrorCode(rawValue: 2002)
    /// The payload is larger than `max_payload_size`. Nothing was sent.
    public static let payloadTooLarge = ErrorCode(rawValue: 2003)
    /// The message's `type` is not one this side knows.
    public static let invalidMessageType = ErrorCode(rawValue: 2004)
    /// A field that must be there is missing.
    public static let missingRequiredField = ErrorCode(rawValue: 2005)
    /// A value can't be encoded (a bare NaN in JSON, an unsupported type).
    public static let encodingFailed = ErrorCode(rawValue: 2006)
    /// Bytes could be parsed, but don't fit the type asked for.
    public static let decodingFailed = ErrorCode(rawValue: 2007)
    /// The packet is larger than the receiver's maximum packet size.
    public static let packetTooLarge = ErrorCode(rawValue: 2008)
    /// A topic name or topic filter breaks the specification's rules.
    public static let invalidTopic = ErrorCode(rawValue: 2009)
    /// The peer broke the protocol; the message names the violation.
    public static let protocolViolation = ErrorCode(rawValue: 2010)

    /// The responder has no such method.
    public static let methodNotFound = ErrorCode(rawValue: 3001)
    /// No response within the call's timeout.
    public static let rpcTimeout = ErrorCode(rawValue: 3002)
    /// The remote method threw.
    public static let rpcExecutionError = ErrorCode(rawValue: 3003)
    /// More calls at once than the caller's or the responder's limit.
    public static let tooManyPendingCalls = ErrorCode(rawValue: 3004)
    /// The request can't be served as it is.
    public static let invalidRPCRequest = ErrorCode(rawValue: 3005)
    /// The response can't be understood.
    public static let invalidRPCResponse = ErrorCode(rawValue: 3006)

    /// Not allowed: by the responder's permission check, or by the broker's access rules.
    public static let permissionDenied = ErrorCode(rawValue: 4001)
    /// The broker did not accept who we are.
    public static let authenticationFailed = ErrorCode(rawValue: 4002)
}

extension ErrorCode: CustomStringConvertible {
    private static let names: [Int: String] = [
        1001: "NOT_CONNECTED", 1002: "CONNECTION_FAILED", 1003: "CONNECTION_LOST", 1004: "SUBSCRIBE_FAILED",
        1005: "PUBLISH_FAILED", 1006: "SESSION_TAKEN_OVER", 1007: "TLS_FAILED", 1008: "QUEUE_FULL",
        1009: "CONNECTION_TIMEOUT",
        2001: "INVALID_JSON", 2002: "INVALID_UTF8", 2003: "PAYLOAD_TOO_LARGE", 2004: "INVALID_MESSAGE_TYPE",
        2005: "MISSING_REQUIRED_FIELD", 2006: "ENCODING_FAILED", 2007: "DECODING_FAILED",
        2008: "PACKET_TOO_LARGE", 2009: "INVALID_TOPIC", 2010: "PROTOCOL_VIOLATION",
        3001: "METHOD_NOT_FOUND", 3002: "RPC_TIMEOUT", 3003: "RPC_EXECUTION_ERROR",
        3004: "TOO_MANY_PENDING_CALLS", 3005: "INVALID_RPC_REQUEST", 3006: "INVALID_RPC_RESPONSE",
        4001: "PERMISSION_DENIED", 4002: "AUTHENTICATION_FAILED",
    ]

    private static let codes = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) })

    /// The stable name, as in `RPC_TIMEOUT`.
    public var name: String { Self.names[rawValue] ?? "ERROR_\(rawValue)" }

    /// The code with that stable name, or nil.
    public init?(name: some StringProtocol) {
        guard let value = Self.codes[String(name)] else { return nil }
        self.init(rawValue: value)
    }

    /// The name.
    public var description: String { name }
}
