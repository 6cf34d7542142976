import MQTTX

/// Prints the messages that are wanted, up to a number.
actor MessagePrinter {
    private let options: SubscribeOptions
    private let style: MessageStyle
    private let share: Double
    private let ending: Ending
    /// Where filters overlap, a message that several match is printed for the first of them alone.
    private let filters: [TopicFilter]
    private let filteredOut: [TopicFilter]
    private var count = 0
    private var isFinished: Bool

    /// - Parameter share: the part of the messages that is printed, up to 1; the choice is random.
    init(options: SubscribeOptions, style: MessageStyle, share: Double, filters: [String], ending: Ending) {
        self.options = options
        self.style = style
        self.share = share
        self.ending = ending
        self.filters = filters.compactMap { try? TopicFilter($0) }
        // Only the subscriptions are wanted then; what comes is for a later connection of the session.
        isFinished = options.exitWhenSubscribed
        filteredOut = options.filterOut.compactMap { try? TopicFilter($0) }
    }

    func take(_ message: MQTTMessage, filter: Int, from client: MQTTClient) async {
        // What comes after the last is left to the session.
        if isFinished { return }
        if isWanted(message, filter) {
            // Before it is printed: the last one printed ends it all.
            if options.removeRetained, message.retain { await remove(message.topic, client) }
            do {
                try write(message)
            } catch {
                return finish(error)
            }
        }
        message.acknowledge()
        // After the acknowledgement, so that the last message of a session does not come again.
        if let limit = options.end.count, count >= limit.count { finish(nil) }
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

    private func remove(_ topic: String, _ client: MQTTClient) async {
        do {
            try await client.publish(topic, ByteBuffer(), qos: .atLeastOnce, retain: true)
        } catch {
            StandardError.warn("the retained message of \(topic) is still there: \(error)")
        }
    }

    private func write(_ message: MQTTMessage) throws {
        count += 1
        if share >= 1 || Double.random(in: 0..<1) < share { try StandardOutput.write(style.bytes(message)) }
    }

    private func finish(_ error: (any Error)?) {
        isFinished = true
        ending.finish(error)
    }
}
