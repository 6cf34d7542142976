public import MQTTNetwork

/// One place where a broker listens.
public struct BrokerListener: Sendable {
    enum Place: Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    let place: Place
    let tls: TLSServerConfig?
    let webSocketPath: String?
    let isWebSocket: Bool

    /// Plain TCP. Port 0 is a free one.
    public static func tcp(host: String = "127.0.0.1", port: Int = 0) -> BrokerListener {
        BrokerListener(place: .tcp(host: host, port: port), tls: nil, webSocketPath: nil, isWebSocket: false)
    }

    /// TLS over TCP.
    public static func tls(host: String = "127.0.0.1", port: Int = 0, _ config: TLSServerConfig) -> BrokerListener {
        BrokerListener(place: .tcp(host: host, port: port), tls: config, webSocketPath: nil, isWebSocket: false)
    }

    /// WebSocket; secure with `tls`. With a path, no other is taken.
    public static func webSocket(
        host: String = "127.0.0.1", port: Int = 0, path: String? = nil, tls: TLSServerConfig? = nil
    ) -> BrokerListener {
        BrokerListener(place: .tcp(host: host, port: port), tls: tls, webSocketPath: path, isWebSocket: true)
    }

    /// A Unix domain socket.
    public static func unix(_ path: String) -> BrokerListener {
        BrokerListener(place: .unix(path: path), tls: nil, webSocketPath: nil, isWebSocket: false)
    }

    /// - Parameter maximumConnections: at one time, those in their TLS or WebSocket handshakes included.
    func target(maximumConnections: Int) -> ListenTarget {
        let endpoint: Endpoint =
            switch place {
            case .tcp(let host, let port): .tcp(host: host, port: port)
            case .unix(let path): .unix(path: path)
            }
        return ListenTarget(
            endpoint: endpoint, tls: tls, webSocket: isWebSocket ? WebSocketListenSettings(path: webSocketPath) : nil,
            maximumConnections: maximumConnections)
    }
}
