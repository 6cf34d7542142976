public import MQTTCore
public import NIOCore

/// A method of enhanced authentication (MQTT 5.0, section 4.12): ``SCRAMSHA256Method``, or one of the program's own.
public protocol AuthenticationMethod: Sendable {
    /// The name of the method as client and broker agreed on it, `SCRAM-SHA-256` for example.
    var name: String { get }
    /// Begins an exchange: for every attempt to connect, and for every re-authentication.
    ///
    /// - Throws: anything; the attempt ends with ``ErrorCode/authenticationFailed``.
    func start() async throws -> any AuthenticationExchange
}

/// One run of an authentication method. Its calls come one after another; cancelling comes with the connection's end.
///
/// What a call throws ends the connection with ``ErrorCode/authenticationFailed``.
public protocol AuthenticationExchange: AnyObject, Sendable {
    /// What goes into the CONNECT, or into the AUTH that begins a re-authentication.
    ///
    /// - Throws: anything; so does ``respond(to:)``.
    func begin() async throws -> AuthenticationData
    /// The answer to a challenge of the broker.
    func respond(to challenge: AuthenticationData) async throws -> AuthenticationData
    /// The broker says that it is done, and takes us in when this returns: it has to throw if the broker's last data,
    /// or their absence, do not prove who the broker is, and the method is one that does.
    func finish(with last: AuthenticationData) async throws
}

/// What one step of an authentication carries (section 3.15.2.2).
public struct AuthenticationData: Sendable, Equatable {
    /// Authentication Data: what they mean is the method's affair.
    public var data: ByteBuffer?
    /// Why, for people.
    public var reasonString: String?
    /// User properties of the AUTH; in the first step of a connection they go into the CONNECT.
    public var userProperties: [UserProperty]

    /// - Parameters:
    ///   - data: what the method exchanges.
    ///   - reasonString: why, for people; not sent in the CONNECT.
    ///   - userProperties: names and values, in order.
    public init(_ data: ByteBuffer? = nil, reasonString: String? = nil, userProperties: [UserProperty] = []) {
        self.data = data
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    init(_ properties: Properties) {
        data = properties.authenticationData
        reasonString = properties.reasonString
        userProperties = properties.userProperties
    }

    /// As properties of an AUTH.
    var properties: Properties {
        .with {
            $0.authenticationData = data
            $0.reasonString = reasonString
            $0.userProperties = userProperties
        }
    }
}
