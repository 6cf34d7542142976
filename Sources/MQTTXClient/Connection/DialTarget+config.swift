internal import MQTTCore
internal import MQTTNetwork

extension DialTarget {
    /// Where to dial, by the client's configuration.
    init(_ config: MQTTConfig, redirect: Redirect?) {
        let host = redirect?.host ?? config.brokerHost
        let port = redirect?.port ?? config.brokerPort
        var endpoint = Endpoint.tcp(host: host, port: port)
        var webSocket: WebSocketSettings?
        switch config.transport {
        case .tcp:
            break
        case .webSocket(let path, let headers):
            webSocket = WebSocketSettings(
                path: path, headers: headers.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
        case .unixSocket(let path):
            endpoint = .unix(path: path)
        }
        // Unacknowledged data for longer than a ping and its answer may take: the link is gone.
        let silence = config.keepAlive > .zero ? config.keepAlive + config.operationTimeout : nil
        self.init(
            endpoint: endpoint, tls: config.tls, webSocket: webSocket, proxy: config.proxy,
            connectTimeout: config.connectTimeout, tcpUserTimeout: silence)
    }
}
