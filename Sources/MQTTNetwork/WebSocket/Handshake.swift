import MQTTCore
import NIOCore

enum WebSocketClientHandshake {
    static func run(
        _ settings: WebSocketSettings, to endpoint: Endpoint, on channel: any Channel
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeFailedFuture(MQTTXError(.connectionFailed, "WebSocket is not supported yet"))
    }
}

enum WebSocketServerHandshake {
    static func run(
        _ settings: WebSocketListenSettings, on channel: any Channel,
        upgraded: @escaping @Sendable (any Channel) throws -> Void
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeFailedFuture(MQTTXError(.connectionFailed, "WebSocket is not supported yet"))
    }
}
