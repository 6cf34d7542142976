import Foundation
import MQTTX
import MQTTXBroker
import TestSupport
import Testing

/// The brokers through which everything has to work.
enum BrokerKind: String, CaseIterable, CustomTestStringConvertible {
    case mosquitto
    case ejabberd
    /// Ours, in this process.
    case embedded

    var testDescription: String { rawValue }

    /// Those against which the peers are tested that come with a process each.
    static let usual: [BrokerKind] = [.mosquitto, .embedded]

    /// Runs the broker for as long as the body runs.
    func run<Result>(
        over links: [Link] = [.tcp], _ body: (BrokerPlace) async throws -> Result
    ) async throws -> Result {
        switch self {
        case .mosquitto:
            return try await Mosquitto.run(Mosquitto.Options(links: links)) { try await body($0.place) }
        case .ejabberd:
            return try await Ejabberd.run(over: links, body)
        case .embedded:
            return try await withTemporaryDirectory { directory in
                let socketPath = directory.appending(path: "socket").path
                let config = BrokerConfig(listeners: links.map { $0.listener(socketPath: socketPath) })
                return try await Broker.run(config) { broker in
                    let ports = zip(links, broker.ports).map { ($0, $1 ?? 0) }
                    return try await body(
                        BrokerPlace(ports: Dictionary(uniqueKeysWithValues: ports), socketPath: socketPath))
                }
            }
        }
    }
}

extension Broker {
    /// Runs a broker in this process for as long as the body runs.
    static func run<Result>(
        _ config: BrokerConfig = BrokerConfig(), _ body: (Broker) async throws -> Result
    ) async throws -> Result {
        let broker = try await start(config)
        do {
            let result = try await body(broker)
            try await broker.stop()
            return result
        } catch {
            try await broker.stop()
            throw error
        }
    }
}

extension Link {
    /// What our broker listens with.
    func listener(socketPath: String) -> BrokerListener {
        var tls = TLSServerConfig(
            certFile: TestCertificates.path("server.pem"), keyFile: TestCertificates.path("server.key"))
        switch self {
        case .tcp: return .tcp()
        case .tls: return .tls(tls)
        case .mutualTLS:
            tls.caFile = TestCertificates.path("ca.pem")
            tls.requireClientCertificate = true
            return .tls(tls)
        case .webSocket: return .webSocket(path: "/mqtt")
        case .secureWebSocket: return .webSocket(path: "/mqtt", tls: tls)
        case .unix: return .unix(socketPath)
        }
    }
}

/// One of each: the combinations in which Swift and Python meet.
struct Meeting: CustomTestStringConvertible {
    let broker: BrokerKind
    let python: PythonVersion
    /// What the Swift client speaks; Python 3.1.2 speaks MQTT 3.1.1, 4.0.3 speaks 5.0.
    var swift = ProtocolVersion.v5

    var testDescription: String {
        "\(python.testDescription) through \(broker.testDescription)\(swift == .v3_1_1 ? ", Swift on MQTT 3.1.1" : "")"
    }

    /// Python 4.0.3 says half of a message in properties, which a Swift client on MQTT 3.1.1 would not see.
    static let all = BrokerKind.usual.flatMap { broker in
        PythonVersion.allCases.map { Meeting(broker: broker, python: $0) }
            + [Meeting(broker: broker, python: .v3, swift: .v3_1_1)]
    }

    /// A Swift client and a Python peer on the same broker.
    func run<Result>(_ body: (MQTTClient, PythonPeer) async throws -> Result) async throws -> Result {
        try await broker.run { place in
            try await PythonPeer.run(python, port: place.port(), clientID: "python") { peer in
                try await MQTTClient.withConnection(place.config(id: "swift", version: swift)) { client in
                    try await body(client, peer)
                }
            }
        }
    }
}
