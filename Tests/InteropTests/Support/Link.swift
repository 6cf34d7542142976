import MQTTX
import TestSupport
import Testing

/// What lies between a client and a broker.
enum Link: String, CaseIterable, CustomTestStringConvertible {
    case tcp, tls, mutualTLS, webSocket, secureWebSocket, unix

    var testDescription: String { rawValue }

    var isTLS: Bool { self == .tls || self == .mutualTLS || self == .secureWebSocket }
    var isWebSocket: Bool { self == .webSocket || self == .secureWebSocket }
}

/// Where a broker is, for each of the links that it offers.
struct BrokerPlace: Sendable {
    var ports: [Link: Int]
    var socketPath = ""
    /// Who wants to be let in says that this is its name and its password.
    let username = "anna"
    /// What the test certificates are for.
    let host = "127.0.0.1"

    /// The link's port; 0 where it has none.
    func port(_ link: Link = .tcp) -> Int { ports[link] ?? 0 }

    /// How our client gets there, trusting the test certificates and, with mutual TLS, as `device-1`.
    func config(_ link: Link = .tcp, id: String = "", version: ProtocolVersion? = nil) -> MQTTConfig {
        var config = MQTTConfig(
            brokerHost: host, brokerPort: port(link), clientID: id, cleanSession: true, version: version)
        config.auth = AuthConfig(username: username, password: username)
        if link.isTLS { config.tls = TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem")) }
        if link.isWebSocket { config.transport = .webSocket(path: "/mqtt") }
        if link == .mutualTLS {
            config.tls.certFile = TestCertificates.path("client.pem")
            config.tls.keyFile = TestCertificates.path("client.key")
        }
        if link == .unix { config.transport = .unixSocket(path: socketPath) }
        return config
    }
}
