/// Why a WebSocket handshake came to nothing.
struct WebSocketHandshakeFailure: Error, CustomStringConvertible {
    let words: String

    var description: String { "no WebSocket: \(words)" }
}
