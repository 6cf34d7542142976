import ArgumentParser
import MQTTX
import MQTTXBroker

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "See the whole system at work, in one process.",
        discussion: """
            Starts a broker of its own on a free port, unless one is given with -h or -p. Everything that is shown is
            checked: the exit status is 0 only if all of it happened.

            Examples:
              mqttxx demo
              mqttxx demo -h localhost -p 1883
            """)

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    private var hasBroker: Bool {
        connection.host != nil || connection.port != nil || connection.url != nil || connection.unix != nil
    }

    func run() async throws {
        try await endingOnSignals {
            guard !hasBroker else { return try await show(try connection.config(reconnects: false)) }
            let broker = try await Broker.start()
            try Demo.say("broker", "listens on \(broker.addresses.joined(separator: ", "))")
            // Of what is given or stands in the environment, nothing is about a broker of our own.
            var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: broker.port)
            config.version = connection.mqttVersion?.version
            config.reconnect.enabled = false
            config.logger = ConsoleLogHandler.logger(isDebugging: connection.debug)
            do {
                try await show(config)
            } catch {
                try await broker.stop()
                throw error
            }
            try await broker.stop()
        }
    }

    private func show(_ config: MQTTConfig) async throws {
        try await endingAfter(14) {
            // Topics of its own, so that others on a shared broker are not disturbed.
            let prefix = "demo/\(RequestID.make().prefix(8))"
            try await connect(config, as: "device_123") { edge in
                try await connect(config, as: "config-service") { cloud in
                    try await DemoCalls(edge: edge, cloud: cloud, prefix: prefix).show()
                    try await DemoEvents(edge: edge, cloud: cloud, prefix: prefix).show()
                }
            }
        }
        try Demo.say("demo", "all of it happened as it should")
    }

    private func connect(
        _ config: MQTTConfig, as name: String, _ body: @escaping @Sendable (MQTTClient) async throws -> Void
    ) async throws {
        var config = config
        config.clientID = hasBroker ? "\(name)-\(RequestID.make().prefix(8))" : name
        let client = MQTTClient(config)
        try await ConnectionOptions.connectFirst(client)
        try Demo.say(name, "connected, MQTT \(client.protocolVersion == .v5 ? "5.0" : "3.1.1")")
        do {
            try await body(client)
        } catch {
            await client.disconnect()
            throw error
        }
        await client.disconnect(drain: .seconds(1))
    }
}
