import ArgumentParser

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure, through the public API, as a user's program would.",
        discussion: """
            The last line on standard output is one JSON object.

            Example, in two terminals:
              mqttxx bench recv -t 'bench/#' -C 100000
              mqttxx bench pub -t bench/1 -C 100000
            """,
        subcommands: [BenchReceive.self, BenchPublish.self, BenchCall.self, BenchConnect.self])
}
