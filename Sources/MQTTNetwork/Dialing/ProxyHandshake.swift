import MQTTCore
import NIOCore

enum ProxyHandshake {
    static func run(
        _ proxy: Proxy, to endpoint: Endpoint, on channel: any Channel, timeout: Duration
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeFailedFuture(MQTTXError(.connectionFailed, "proxies are not supported yet"))
    }
}
