import ArgumentParser
import MQTTX

struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Call a method of a service and print its result.",
        discussion: """
            Examples:
              mqttxx call edge/device_123 get_status
              mqttxx call calculator add '{"a": 2, "b": 3}' --timeout 5
            """)

    @Argument(help: "The topic where the service takes requests.")
    var topic: String

    @Argument(help: "The method.")
    var method: String

    @Argument(help: "What the method gets, as JSON; - reads it from standard input.")
    var params: String?

    @Option(parsing: .unconditional, help: "The topic that takes the response. (default: an inbox of its own)")
    var replyTo: String?

    @Option(help: "Seconds to wait for the response.")
    var timeout = SecondsArgument(30)

    @Option(help: "How many calls, one after another; the first failure ends it.")
    var count = CountArgument(1)

    @OptionGroup(title: "Messages") var rpc: RPCOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run() async throws {
        try await endingOnSignals {
            try TopicName.validate(topic)
            if let replyTo { try TopicName.validate(replyTo) }
            let params = try await JSONArgument.value(params)
            try await connection.withClient { client in
                let manager = RPCManager(client, config: RPCConfig(form: rpc.form), codec: rpc.messageCodec)
                if let replyTo { try await manager.setup(replyTopic: replyTo) }
                for _ in 0..<count.count {
                    let result = try await manager.call(topic, method, params: params, timeout: timeout.duration)
                    try StandardOutput.write(line: try result.jsonText())
                }
            }
        }
    }
}
