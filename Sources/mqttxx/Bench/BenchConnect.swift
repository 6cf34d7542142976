import ArgumentParser
import MQTTX

struct BenchConnect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conn",
        abstract: "Connect and disconnect.",
        discussion: """
            Example:
              mqttxx bench conn -C 1000 --concurrency 10
            """)

    @Option(name: [.customShort("C"), .long], help: "How many connections.")
    var count = CountArgument(1_000)

    @Option(help: "How many at once.")
    var concurrency = CountArgument(10)

    @Option(help: "Keep all of them open for so many seconds.")
    var hold: SecondsArgument?

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        if connection.id != nil { throw ValidationError("every connection needs an identifier of its own") }
    }

    func run() async throws {
        try await endingOnSignals {
            let config = try connection.config(reconnects: false)
            let measurement = Measurement()
            let run = try await connectAll(config)
            let result = measurement.result("conn", messages: count.count, extra: run.latencies.json)
            if let hold { try await Task.sleep(for: hold.duration) }
            for client in run.open { await client.disconnect() }
            try StandardOutput.write(line: JSONValue.object(result).description)
        }
    }

    private struct Share: Sendable {
        var latencies = Latencies()
        var open: [MQTTClient] = []
    }

    private func connectAll(_ config: MQTTConfig) async throws -> Share {
        let progress = Progress()
        return try await progress.telling(of: count.count) {
            try await withThrowingTaskGroup(of: Share.self) { group in
                for _ in 0..<min(concurrency.count, count.count) {
                    group.addTask { try await connect(config, progress) }
                }
                return try await group.reduce(into: Share()) {
                    $0.latencies.add($1.latencies)
                    $0.open += $1.open
                }
            }
        }
    }

    private func connect(_ config: MQTTConfig, _ progress: Progress) async throws -> Share {
        var share = Share()
        while progress.next(of: count.count) != nil {
            let client = MQTTClient(config)
            let start = ContinuousClock.now
            try await ConnectionOptions.connectFirst(client)
            share.latencies.record(start.duration(to: .now))
            if hold == nil { await client.disconnect() } else { share.open.append(client) }
        }
        return share
    }
}
