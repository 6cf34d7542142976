import ArgumentParser
import MQTTX

struct EmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emit",
        abstract: "Publish an event.",
        discussion: """
            Example:
              mqttxx emit sensors/room1/temperature '{"value": 25.5}' --type temperature.changed --source sensor_001
            """)

    @Argument(help: "The topic.")
    var topic: String

    @Argument(help: "What there is to say, as JSON; - reads it from standard input.")
    var data: String?

    @Option(parsing: .unconditional, help: "The kind of event.")
    var type = "event"

    @Option(parsing: .unconditional, help: "Who says so. (default: the client identifier, if one is given)")
    var source: String?

    @Flag(help: "Publish DATA as it is.")
    var raw = false

    @Option(name: .shortAndLong, help: "0, 1 or 2.")
    var qos: QoS = .atLeastOnce

    @Flag(name: .shortAndLong, help: "Have the broker keep it for those who subscribe later.")
    var retain = false

    @OptionGroup(title: "Messages") var rpc: RPCOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run() async throws {
        try await endingOnSignals {
            try TopicName.validate(topic)
            let value = try await JSONArgument.value(data)
            try await connection.withClient(untilWritten: true) { client in
                if raw {
                    // As it is: the manager would wrap what is no object.
                    try await client.publish(topic, try rpc.messageCodec.encode(value), qos: qos, retain: retain)
                } else {
                    let events = EventChannelManager(client, codec: rpc.messageCodec, form: rpc.form)
                    let event = EventMessage(
                        eventType: type, data: value, source: source ?? connection.id ?? "")
                    try await events.publish(topic, event, qos: qos, retain: retain)
                }
            }
        }
    }
}
