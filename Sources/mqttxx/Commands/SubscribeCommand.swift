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

    /// That of `-L` comes on top, that of the environment stands in. Each once: the client has one subscription for a filter.
    private var filters: [String] {
        var given = [connection.url?.topic].compactMap(\.self) + options.topic
        if given.isEmpty, let topic = connection.address?.topic { given = [topic] }
        return given.indices.filter { !given[..<$0].contains(given[$0]) }.map { given[$0] }
    }

    func validate() throws {
        try printing.check()
        guard !filters.isEmpty || !options.unsubscribe.isEmpty else {
            throw ValidationError("a topic filter is missing: -t FILTER")
        }
    }

    func run() async throws {
        try options.checkFilters()
        try await endingOnSignals {
            try await endingAfter(options.end.seconds?.seconds) {
                try await connection.withClient(reconnects: true, adjusting: adjust) { try await receive($0) }
            }
        }
    }

    private func adjust(_ config: inout MQTTConfig) {
        // One after another, so that lines come out in order; acknowledged when printed, so that the last is too.
        config.numWorkers = 1
        config.acknowledgement = .manual
    }

    private func receive(_ client: MQTTClient) async throws {
        let ending = Ending()
        let printer = MessagePrinter(
            options: options, style: printing.style(identifier: connection.subscriptionIdentifier),
            share: printing.randomFilter / 100, ending: ending)
        try await subscribe(client, printer)
        try await unsubscribe(client, printer)
        if options.exitWhenSubscribed || filters.isEmpty { return }
        try await ending.await(client)
    }

    /// - Throws: why the broker has refused, if it has refused all.
    private func subscribe(_ client: MQTTClient, _ printer: MessagePrinter) async throws {
        var refusals: [(filter: String, error: MQTTXError)] = []
        for (index, filter) in filters.enumerated() {
            do {
                try await client.subscribe(
                    filter, qos: options.qos, noLocal: options.noLocal, retainAsPublished: options.retainAsPublished,
                    retainHandling: options.noRetained ? .doNotSend : options.retainHandling,
                    userProperties: connection.property.userProperties(.subscribe)
                ) { await printer.take($0, filter: index, from: client) }
            } catch let error as MQTTXError where error.isRefusedSubscription {
                refusals.append((filter, error))
            }
        }
        if let first = refusals.first, refusals.count == filters.count { throw first.error }
        for refusal in refusals { StandardError.warn("\(refusal.filter): \(refusal.error)") }
    }

    /// A client ends what it has begun itself: what the session brought is taken over before. What is queued still comes.
    private func unsubscribe(_ client: MQTTClient, _ printer: MessagePrinter) async throws {
        for (index, filter) in options.unsubscribe.enumerated() {
            do {
                try await client.subscribe(filter, qos: options.qos, retainHandling: .doNotSend) { message in
                    guard !message.retain else { return message.acknowledge() }
                    await printer.take(message, filter: filters.count + index, from: client)
                }
            } catch let error as MQTTXError where error.isRefusedSubscription {
                // The client has ended it already.
                continue
            }
            try await client.unsubscribe(
                filter, userProperties: connection.property.userProperties(.unsubscribe))
        }
    }
}

extension MQTTXError {
    fileprivate var isRefusedSubscription: Bool { code == .subscribeFailed || code == .permissionDenied }
}
