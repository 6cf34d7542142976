import ArgumentParser
import Foundation
import MQTTX

/// `socks5h://user:password@host:port`, or `http://…` for HTTP CONNECT.
struct ProxyArgument: ExpressibleByArgument, Sendable {
    let proxy: Proxy

    init?(argument: String) {
        guard let end = argument.range(of: "://"), let url = BrokerURL(argument: "mqtt" + argument[end.lowerBound...])
        else { return nil }
        switch argument[..<end.lowerBound].lowercased() {
        case "socks5h", "socks5":
            proxy = .socks5(host: url.host, port: url.port ?? 1080, username: url.username, password: url.password)
        case "http":
            proxy = .httpConnect(host: url.host, port: url.port ?? 8080, username: url.username, password: url.password)
        default: return nil
        }
    }
}
