import ArgumentParser
import MQTTX

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve methods.",
        discussion: """
            A method can be any command: it gets the params as JSON on its standard input and prints its result as JSON.
            When it fails, the caller is told the last line of its standard error.

            Examples:
              mqttxx serve bench/echo --echo
              mqttxx serve tools --exec 'uptime=uptime | jq -R .' --allow admin
            """)

    @Argument(help: "The topic where requests come in.")
    var topic: String

    @Flag(help: "A method echo that returns its params.")
    var echo = false

    @Option(parsing: .unconditionalSingleValue, help: "A method and its command, METHOD=COMMAND. (repeatable)")
    var exec: [ExecArgument] = []

    @Option(help: "Seconds after which a command is killed.")
    var execTimeout = SecondsArgument(30)

    @Option(parsing: .unconditionalSingleValue, help: "Serve callers with this client id alone. (repeatable)")
    var allow: [String] = []

    @Option(parsing: .unconditional, help: "Share the requests with all who serve in this group.")
    var group: String?

    @Option(help: "How many requests at once.")
    var maxRequests = CountArgument(100)

    @OptionGroup(title: "Messages") var rpc: RPCOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        if let group, group.isEmpty || group.contains(where: { "/+#".contains($0) }) {
            throw ValidationError("--group is a name without / + #")
        }
    }

    func run() async throws {
        try await endingOnSignals {
            try await connection.withClient(reconnects: true) { client in
                // Starting a command takes its time; echoing does not.
                let executor = exec.isEmpty ? client.taskExecutor : nil
                let manager = try await ConventionalRPCManager(
                    client, myTopic: topic, group: group,
                    config: RPCConfig(
                        maxConcurrentRequests: maxRequests.count, form: rpc.form, taskExecutor: executor),
                    codec: rpc.messageCodec, authCallback: authCallback, register: register)
                try StandardOutput.write(line: "serving \(topic)")
                do {
                    try await client.untilItEnds()
                } catch {
                    await manager.close()
                    throw error
                }
            }
        }
    }

    private var authCallback: RPCAuthCallback? {
        guard !allow.isEmpty else { return nil }
        let allowed = Set(allow)
        return { caller, _, _ in allowed.contains(caller) }
    }

    private func register(_ manager: RPCManager) {
        if echo { manager.register("echo") { (params: JSONValue) in params } }
        for method in exec {
            let command = ShellCommand(text: method.command, timeout: execTimeout.duration)
            manager.register(method.name) { (params: JSONValue) in try await command.run(params) }
        }
    }
}

/// `METHOD=COMMAND`
struct ExecArgument: ExpressibleByArgument, Sendable {
    let name: String
    let command: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "=") else { return nil }
        name = String(argument[..<equals])
        command = String(argument[argument.index(after: equals)...])
        guard !name.isEmpty, !command.isEmpty else { return nil }
    }
}
