/// Where a connection goes to, or where a listener listens.
package enum Endpoint: Sendable, Hashable {
    /// A host name or an address (IPv4, or IPv6 without brackets) and a port. Port 0 asks a listener for a free one.
    case tcp(host: String, port: Int)
    /// A Unix domain socket.
    case unix(path: String)
}

extension Endpoint: CustomStringConvertible {
    /// `127.0.0.1:1883`, `[::1]:1883` or `unix:/run/mqtt.sock`.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
