/// A proxy that a connection goes through. It resolves the broker's name, not this machine.
public enum Proxy: Sendable, Hashable {
    /// HTTP CONNECT, with Basic authentication when a user name is given.
    case httpConnect(host: String, port: Int, username: String? = nil, password: String? = nil)
    /// SOCKS 5 (RFC 1928), with user name and password (RFC 1929) when given.
    case socks5(host: String, port: Int, username: String? = nil, password: String? = nil)

    var endpoint: Endpoint {
        switch self {
        case .httpConnect(let host, let port, _, _), .socks5(let host, let port, _, _): .tcp(host: host, port: port)
        }
    }
}
