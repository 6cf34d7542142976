import MQTTX

/// Prints the messages that are wanted, up to a number.
actor MessagePrinter {
    private let options: SubscribeOptions
    private let format: MessageFormat
    private let ending: Ending
    /// Where filters overlap, a message that several match is printed for the first of them alone.
    private let filters: [TopicFilter]
    private let filteredOut: [TopicFilter]
    private var printed = 0
    private var isFinished = false

    init(options: SubscribeOptions, format: MessageFormat, filters: [String], ending: Ending) {
        self.options = options
        self.format = format
        self.ending = ending
        self.filters = filters.compactMap { try? TopicFilter($0) }
        filteredOut = options.filterOut.compactMap { try? TopicFilter($0) }
    }

    /// - Returns: whether the message was one of those asked for.
    func take(_ message: MQTTMessage, filter: Int) -> Bool {
        // What comes after the last is left to the session.
        if isFinished { return false }
        let isWanted = isWanted(message, filter)
        if isWanted { write(message) }
        message.acknowledge()
        return isWanted
    }

    private func isWanted(_ message: MQTTMessage, _ index: Int) -> Bool {
        if options.retainedOnly, !message.retain {
            finish(nil)
            return false
        }
        if options.noRetained, message.retain { return false }
        if filteredOut.contains(where: { $0.matches(message.topic) }) { return false }
        guard filters.count > 1, filters[index].shareName == nil else { return true }
        return !filters[..<index].contains { $0.shareName == nil && $0.matches(message.topic) }
    }

    private func write(_ message: MQTTMessage) {
        do {
            try StandardOutput.write(format.bytes(message))
        } catch {
            return finish(error)
        }
        printed += 1
        if let count = options.end.count, printed >= count.count { finish(nil) }
    }

    private func finish(_ error: (any Error)?) {
        isFinished = true
        ending.finish(error)
    }
}
