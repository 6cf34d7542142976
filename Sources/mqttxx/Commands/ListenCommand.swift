import ArgumentParser
import MQTTX

struct ListenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Print events as they come, one JSON object a line.",
        discussion: """
            Example:
              mqttxx listen 'sensors/+/temperature' -C 10
            """)

    @Argument(help: "A topic filter.")
    var pattern: String

    @Option(name: .shortAndLong, help: "The highest QoS at which events come.")
    var qos: QoS = .atLeastOnce

    @OptionGroup var end: EndOptions
    @OptionGroup(title: "Messages") var rpc: RPCOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run() async throws {
        try await endingOnSignals {
            _ = try TopicFilter(pattern)
            try await endingAfter(end.seconds?.seconds) {
                try await connection.withClient(reconnects: true, adjusting: { $0.numWorkers = 1 }) { client in
                    let ending = Ending()
                    let printer = EventPrinter(count: end.count?.count, ending: ending)
                    let events = EventChannelManager(client, codec: rpc.messageCodec, form: rpc.form)
                    try await events.subscribe(pattern, qos: qos) { topic, event in
                        await printer.print(topic, event)
                    }
                    try await ending.await(client)
                }
            }
        }
    }
}

/// Prints events, up to a number.
private actor EventPrinter {
    private let count: Int?
    private let ending: Ending
    private var printed = 0
    private var isFinished = false

    init(count: Int?, ending: Ending) {
        self.count = count
        self.ending = ending
    }

    func print(_ topic: String, _ event: Event) {
        guard !isFinished else { return }
        do {
            let line: JSONValue = ["topic": .string(topic), "message": event.message]
            try StandardOutput.write(line: line.description)
        } catch {
            return finish(error)
        }
        printed += 1
        if printed == count { finish(nil) }
    }

    private func finish(_ error: (any Error)?) {
        isFinished = true
        ending.finish(error)
    }
}
