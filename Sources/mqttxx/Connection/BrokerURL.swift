import ArgumentParser
import Foundation

/// `mqtt[s]|ws[s]://user:pass@host:port/topic`. Not a URL in every detail: the topic is taken as it stands, `#` included.
struct BrokerURL: ExpressibleByArgument, Sendable {
    let isTLS: Bool
    let isWebSocket: Bool
    let username: String?
    let password: String?
    let host: String
    let port: Int?
    let topic: String?

    init?(argument: String) {
        guard let colon = argument.range(of: "://") else { return nil }
        switch argument[..<colon.lowerBound].lowercased() {
        case "mqtt", "tcp": (isTLS, isWebSocket) = (false, false)
        case "mqtts", "ssl", "tls": (isTLS, isWebSocket) = (true, false)
        case "ws": (isTLS, isWebSocket) = (false, true)
        case "wss": (isTLS, isWebSocket) = (true, true)
        default: return nil
        }
        let rest = argument[colon.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let topic = rest[slash...].dropFirst()
        self.topic = topic.isEmpty ? nil : String(topic)

        var authority = rest[..<slash]
        (username, password) = Self.takeCredentials(&authority)
        guard let (host, port) = Self.hostAndPort(authority) else { return nil }
        self.host = host
        self.port = port
    }

    private static func takeCredentials(_ authority: inout Substring) -> (String?, String?) {
        guard let at = authority.lastIndex(of: "@") else { return (nil, nil) }
        let credentials = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            .map { $0.removingPercentEncoding ?? String($0) }
        authority = authority[authority.index(after: at)...]
        return (credentials[0], credentials.count > 1 ? credentials[1] : nil)
    }

    private static func hostAndPort(_ authority: Substring) -> (String, Int?)? {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { return nil }
        guard let port else { return (String(host), nil) }
        guard let number = Int(port), (1...65_535).contains(number) else { return nil }
        return (String(host), number)
    }
}
