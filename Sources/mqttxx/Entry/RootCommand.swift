import ArgumentParser

struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mqttxx",
        abstract: "Services and devices that call each other and tell each other events, over MQTT.",
        discussion: """
            Try it without a broker:
              mqttxx demo

            Or in three terminals:
              mqttxx broker
              mqttxx serve greeter --exec hello='echo "\\"hello\\""'
              mqttxx call greeter hello
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(name: "Begin", subcommands: [DemoCommand.self, BrokerCommand.self]),
            CommandGroup(name: "Messages", subcommands: [PublishCommand.self, SubscribeCommand.self]),
            CommandGroup(name: "Calls", subcommands: [CallCommand.self, ServeCommand.self, PingCommand.self]),
            CommandGroup(name: "Events", subcommands: [EmitCommand.self, ListenCommand.self]),
            CommandGroup(name: "Measure", subcommands: [BenchCommand.self]),
        ],
        helpNames: .long)
}
