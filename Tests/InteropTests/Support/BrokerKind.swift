import MQTTX
import MQTTXBroker
import Testing

/// The brokers through which everything has to work.
enum BrokerKind: String, CaseIterable, CustomTestStringConvertible {
    case mosquitto
    case embedded

    var testDescription: String { rawValue }

    /// Runs the broker for as long as the body runs.
    ///
    /// - Parameter body: gets the port on 127.0.0.1.
    func run<Result>(_ body: (Int) async throws -> Result) async throws -> Result {
        switch self {
        case .mosquitto:
            return try await Mosquitto.run { try await body($0.port()) }
        case .embedded:
            let broker = try await Broker.start()
            do {
                let result = try await body(broker.port)
                try await broker.stop()
                return result
            } catch {
                try await broker.stop()
                throw error
            }
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
    static let all = BrokerKind.allCases.flatMap { broker in
        PythonVersion.allCases.map { Meeting(broker: broker, python: $0) }
            + [Meeting(broker: broker, python: .v3, swift: .v3_1_1)]
    }

    /// A Swift client and a Python peer on the same broker.
    func run<Result>(_ body: (MQTTClient, PythonPeer) async throws -> Result) async throws -> Result {
        try await broker.run { port in
            try await PythonPeer.run(python, port: port, clientID: "python") { peer in
                let config = MQTTConfig(
                    brokerHost: "127.0.0.1", brokerPort: port, clientID: "swift", cleanSession: true, version: swift)
                return try await MQTTClient.withConnection(config) { client in try await body(client, peer) }
            }
        }
    }
}
