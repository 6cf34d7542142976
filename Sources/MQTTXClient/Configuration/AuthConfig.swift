public import NIOCore

/// User name and password: fixed, or asked for at every attempt to connect.
public struct AuthConfig: Sendable {
    /// What a CONNECT carries.
    public struct Credentials: Sendable {
        /// Nil sends none.
        public var username: String?
        /// Any bytes; on MQTT 3.1.1 a password needs a user name (MQTT-3.1.2-22).
        public var password: ByteBuffer?

        /// A password that is text goes as its UTF-8 bytes.
        public init(username: String?, password: String? = nil) {
            self.username = username
            self.password = password.map { ByteBuffer(string: $0) }
        }

        /// A password that is bytes: up to 65,535 of them.
        public init(username: String?, password: ByteBuffer) {
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
