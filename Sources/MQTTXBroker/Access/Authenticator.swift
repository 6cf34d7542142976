public import MQTTCore

/// Says whether a client is who it claims to be, by user name and password.
public protocol Authenticator: Sendable {
    /// Called once for each CONNECT that brings a user name. May take its time: the packets that follow the CONNECT wait, other
    /// connections don't. Cancelled when the connection closes.
    func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult
}

/// What is known of a client that wants to connect.
public struct ConnectAttempt: Sendable {
    /// Empty when the broker is to choose.
    public var clientID: String
    /// The user name in the CONNECT; nil if there is none.
    public var username: String?
    /// The password in the CONNECT; nil if there is none.
    public var password: [UInt8]?
    /// The version of MQTT that it speaks.
    public var version: ProtocolVersion
    /// Where the client comes from, such as `127.0.0.1:50123`; nil for a Unix socket.
    public var remoteAddress: String?
    /// The common name of the client's verified certificate.
    public var certificateCommonName: String?
}

/// What came of an authentication.
public enum AuthenticationResult: Sendable, Hashable {
    /// Let in. `identity` is the user name from here on, if it is another than that in the CONNECT.
    case accepted(identity: String? = nil)
    /// Refused, with the reason code of the CONNACK and a reason for people. A code that is no refusal, or none that a
    /// CONNACK can carry, goes out as ``ReasonCode/notAuthorized``.
    case refused(ReasonCode = .badUserNameOrPassword, reason: String? = nil)
}
