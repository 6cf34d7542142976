import MQTTX
import MQTTXBroker

/// Runs the body with a broker in this process, which is stopped however the body ends.
func withBroker(
    _ config: BrokerConfig = BrokerConfig(listeners: [.tcp()]), _ body: (Broker) async throws -> Void
) async throws {
    let broker = try await Broker.start(config)
    do {
        try await body(broker)
        try await broker.stop()
    } catch {
        try? await broker.stop()
        throw error
    }
}

extension Broker {
    /// What a command is told to reach it.
    var arguments: [String] { ["-h", "127.0.0.1", "-p", "\(port)"] }

    /// Runs the tool against it, to its end.
    func run(
        _ arguments: String..., input: String = "", environment: [String: String] = [:]
    ) async throws -> Tool.Result {
        try await Tool.run(arguments + self.arguments, input: Array(input.utf8), environment: environment)
    }

    /// Starts the tool against it.
    func start(_ arguments: String..., environment: [String: String] = [:]) throws -> RunningTool {
        try RunningTool(arguments + self.arguments, environment: environment)
    }

    /// Runs the body with a client of this process.
    func withClient(
        _ id: String = "", version: ProtocolVersion = .v5, _ body: @Sendable (MQTTClient) async throws -> Void
    ) async throws {
        var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: port, clientID: id, version: version)
        config.sessionExpiry = id.isEmpty ? nil : .seconds(3_600)
        try await MQTTClient.withConnection(config, body)
    }

    /// Publishes retained messages, so that it does not matter who comes first.
    func retain(_ messages: [(topic: String, payload: [UInt8])]) async throws {
        try await withClient { client in
            for message in messages {
                try await client.publish(message.topic, message.payload, qos: .atLeastOnce, retain: true)
            }
        }
    }

    func retain(_ topic: String, _ payload: String) async throws { try await retain([(topic, Array(payload.utf8))]) }

    /// Leaves messages in the session of a client that is away.
    func queue(_ messages: [(topic: String, payload: String)], for id: String, filter: String) async throws {
        try await withClient(id) { try await $0.subscribe(filter, qos: .exactlyOnce) { _ in } }
        try await withClient { client in
            for message in messages { try await client.publish(message.topic, message.payload, qos: .atLeastOnce) }
        }
    }
}
