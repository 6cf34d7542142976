import ArgumentParser
import MQTTX

struct SubscribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Print messages as they come.",
        discussion: """
            Goes on until it is interrupted, and reconnects by itself.

            Examples:
              mqttxx sub -t 'sensors/#' -v
              mqttxx sub -t 'sensors/#' -o json -C 10 -W 60
              mqttxx sub -t log -F '%I %t %p'
            """,
        aliases: ["subscribe"])

    @OptionGroup(title: "Subscriptions") var options: SubscribeOptions
    @OptionGroup(title: "Output") var printing: PrintOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    private var filters: [String] {
        options.topic.isEmpty ? connection.url?.topic.map { [$0] } ?? [] : options.topic
    }

    func validate() throws {
        try printing.check()
        guard !filters.isEmpty || !options.unsubscribe.isEmpty else {
            throw ValidationError("a topic filter is missing: -t FILTER")
        }
    }

    func run() async throws {
        try options.check()
        let filters = filters
        try await endingOnSignals {
            try await endingAfter(options.end.seconds?.seconds) {
                try await connection.withClient(reconnects: true, adjusting: adjust) { client in
                    for filter in options.unsubscribe { try await client.unsubscribe(filter) }
                    try await receive(filters, client)
                }
            }
        }
    }

    private func adjust(_ config: inout MQTTConfig) {
        // One after another, so that lines come out in order; acknowledged when printed, so that the last is too.
        config.numWorkers = 1
        config.acknowledgement = .manual
    }

    private func receive(_ filters: [String], _ client: MQTTClient) async throws {
        let ending = Ending()
        let printer = MessagePrinter(options: options, format: printing.messageFormat, filters: filters, ending: ending)
        for (index, filter) in filters.enumerated() {
            try await client.subscribe(
                filter, qos: options.qos, noLocal: options.noLocal, retainAsPublished: options.retainAsPublished,
                retainHandling: options.retainHandling
            ) { message in
                guard await printer.take(message, filter: index) else { return }
                if options.removeRetained, message.retain {
                    try await client.publish(message.topic, ByteBuffer(), retain: true)
                }
            }
        }
        if options.exitWhenSubscribed || filters.isEmpty { return }
        try await ending.await(client)
    }
}
