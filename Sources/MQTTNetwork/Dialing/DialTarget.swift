/// All that is needed to reach a broker: where it is, and what lies between TCP and MQTT.
package struct DialTarget: Sendable {
    package var endpoint: Endpoint
    /// TLS, when given and enabled. Files named with TLS disabled are an error, never plaintext.
    package var tls: TLSConfig?
    /// MQTT inside WebSocket frames, when given.
    package var webSocket: WebSocketSettings?
    package var proxy: Proxy?
    /// For the whole of dialling: name lookup, TCP, proxy, TLS and WebSocket.
    package var connectTimeout: Duration
    /// How long written bytes may stay unacknowledged before the kernel gives the connection up (Linux).
    package var tcpUserTimeout: Duration?

    package init(
        endpoint: Endpoint, tls: TLSConfig? = nil, webSocket: WebSocketSettings? = nil, proxy: Proxy? = nil,
        connectTimeout: Duration = .seconds(10), tcpUserTimeout: Duration? = nil
    ) {
        self.endpoint = endpoint
        self.tls = tls
        self.webSocket = webSocket
        self.proxy = proxy
        self.connectTimeout = connectTimeout
        self.tcpUserTimeout = tcpUserTimeout
    }
}

extension DialTarget: CustomStringConvertible {
    /// `broker.example:8883`, with the proxy if there is one.
    package var description: String {
        guard let proxy else { return endpoint.description }
        return "\(endpoint) through the proxy \(proxy.endpoint)"
    }
}
