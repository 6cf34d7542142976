public import NIOCore

/// User name and password: fixed, or asked for at every attempt to connect.
public struct AuthConfig: Sendable {
    /// What a CONNECT carries.
    public struct Credentials: Sendable {
        public var username: String?
        /// Any bytes; on MQTT 3.1.1 a password needs a user name (MQTT-3.1.2-22).
        public var password: ByteBuffer?

        public init(username: String?, password: String?) {
            self.username = username
            self.password = password.map { ByteBuffer(string: $0) }
        }

        public init(username: String?, password: ByteBuffer?) {
            self.username = username
            self.password = password
        }
    }

    let provider: @Sendable () async throws -> Credentials

    /// Fixed values; none by default.
    public init(username: String? = nil, password: String? = nil) {
        let credentials = Credentials(username: username, password: password)
        provider = { credentials }
    }

    /// Asked at every attempt to connect, so that tokens can be fresh. What it throws ends the attempt as
    /// ``ErrorCode/authenticationFailed``, and the next attempt asks again.
    public init(_ provider: @escaping @Sendable () async throws -> Credentials) {
        self.provider = provider
    }
}

/// One method of enhanced authentication (MQTT 5.0, section 4.12). A new exchange begins with ``start()``; several may
/// follow each other on one client.
public protocol EnhancedAuthenticator: Sendable {
    /// The name of the method, `SCRAM-SHA-256` for example.
    var method: String { get }
    /// Begins an exchange.
    func start() async throws -> any AuthenticationExchange
}

/// One run of an authentication method.
public protocol AuthenticationExchange: AnyObject, Sendable {
    /// The data for the CONNECT, or for the AUTH that begins a re-authentication.
    func initialData() async throws -> ByteBuffer?
    /// The answer to a challenge of the broker.
    func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer?
    /// The broker says it is done; throws if its final data do not prove who it is.
    func finish(with data: ByteBuffer?) async throws
}
