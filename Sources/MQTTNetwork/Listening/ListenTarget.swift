/// Where to listen, and what lies between TCP and MQTT.
package struct ListenTarget: Sendable {
    package var endpoint: Endpoint
    package var tls: TLSServerConfig?
    /// MQTT inside WebSocket frames, when given.
    package var webSocket: WebSocketListenSettings?
    /// For the TLS and WebSocket handshakes of one connection together.
    package var handshakeTimeout: Duration
    /// Connections beyond this are closed as soon as they are accepted. Nil sets no limit.
    package var maximumConnections: Int?

    package init(
        endpoint: Endpoint, tls: TLSServerConfig? = nil, webSocket: WebSocketListenSettings? = nil,
        handshakeTimeout: Duration = .seconds(10), maximumConnections: Int? = nil
    ) {
        self.endpoint = endpoint
        self.tls = tls
        self.webSocket = webSocket
        self.handshakeTimeout = handshakeTimeout
        self.maximumConnections = maximumConnections
    }

    /// What follows the address in the description of a listener.
    var transportSuffix: String {
        switch (tls != nil, webSocket != nil) {
        case (false, false): ""
        case (true, false): " tls"
        case (false, true): " ws"
        case (true, true): " wss"
        }
    }
}

/// Which WebSocket requests a listener takes.
package struct WebSocketListenSettings: Sendable, Hashable {
    /// The only path taken, such as `/mqtt`; nil takes any.
    package var path: String?

    package init(path: String? = nil) { self.path = path }
}
