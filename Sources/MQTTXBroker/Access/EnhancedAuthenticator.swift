public import MQTTCore

/// A method of enhanced authentication (section 4.12): challenge and response in AUTH packets.
public protocol EnhancedAuthenticator: Sendable {
    /// The name that clients give as Authentication Method.
    var method: String { get }
    /// Starts an exchange, at CONNECT and again when a client asks to authenticate anew.
    func begin(_ attempt: ConnectAttempt) -> any EnhancedAuthentication
}

/// One exchange of an ``EnhancedAuthenticator``.
public protocol EnhancedAuthentication: Sendable {
    /// The client's next Authentication Data; the first may be missing.
    mutating func receive(_ data: [UInt8]?) async -> EnhancedAuthenticationStep
}

/// How an exchange goes on.
public enum EnhancedAuthenticationStep: Sendable, Hashable {
    /// Send this and wait for more.
    case challenge([UInt8])
    /// Let in as `identity`; `data` goes into the CONNACK, or the last AUTH. Who authenticates anew as another identity is
    /// disconnected: session and rights are those of the first.
    case accepted(identity: String?, data: [UInt8]? = nil)
    /// Refused.
    case refused(ReasonCode = .notAuthorized, reason: String? = nil)
}
