/// How a client asks for MQTT over WebSocket.
package struct WebSocketSettings: Sendable, Hashable {
    /// The request's path, query included.
    package var path: String
    /// Sent with the request beside those that the handshake needs, such as `Authorization`.
    package var headers: [Header]

    package init(path: String = "/mqtt", headers: [Header] = []) {
        self.path = path
        self.headers = headers
    }

    package struct Header: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
}
