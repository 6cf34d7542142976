import MQTTX

/// Prints the messages that are wanted, up to a number.
actor MessagePrinter {
    private let options: SubscribeOptions
    private let style: MessageStyle
    private let share: Double
    private let ending: Ending
    /// What was taken last: where filters overlap, their handlers get one message one after another.
    private var last: (message: MQTTMessage, filter: Int)?
    private let filteredOut: [TopicFilter]
    private var count = 0
    private var isFinished: Bool

    /// - Parameter share: the part of the messages that is printed, up to 1; the choice is random.
    init(options: SubscribeOptions, style: MessageStyle, share: Double, ending: Ending) {
        self.options = options
        self.style = style
        self.share = share
        self.ending = ending
        // Only the subscriptions are wanted then; what comes is for a later connection of the session.
        isFinished = options.exitWhenSubscribed
        filteredOut = options.filterOut.compactMap { try? TopicFilter($0) }
    }

    func take(_ message: MQTTMessage, filter: Int, from client: MQTTClient) async {
        // What comes after the last is left to the session.
        if isFinished { return }
        let isRepetition = isSame(message, filter)
        last = (message, filter)
        if !isRepetition, isWanted(message) {
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

    /// Whether a filter before this one has brought the message already. What the broker sends once for each of them differs
    /// by its subscription identifier, or begins with the first again.
    private func isSame(_ message: MQTTMessage, _ filter: Int) -> Bool {
        guard let last, last.filter < filter else { return false }
        return last.message.packetID == message.packetID && last.message.topic == message.topic
            && last.message.properties.subscriptionIdentifiers == message.properties.subscriptionIdentifiers
            && last.message.payload == message.payload
    }

    private func isWanted(_ message: MQTTMessage) -> Bool {
        if options.retainedOnly, !message.retain {
            finish(nil)
            return false
        }
        if options.noRetained, message.retain { return false }
        return !filteredOut.contains { $0.matches(message.topic) }
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
