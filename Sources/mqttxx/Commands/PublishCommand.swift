import ArgumentParser
import MQTTX

struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish messages.",
        discussion: """
            Ends when the broker has acknowledged them all; at QoS 0, when they were written.

            Examples:
              mqttxx pub -t sensors/room1 -m 21.5 -q 1
              mqttxx pub -t config -r -f config.json --content-type application/json
              tail -f log | mqttxx pub -t log -l
            """,
        aliases: ["publish"])

    @OptionGroup(title: "Message") var options: PublishOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard options.topic != nil || connection.address?.topic != nil else {
            throw ValidationError("a topic is missing: -t TOPIC")
        }
        try options.checkSource()
    }

    func run() async throws {
        try await endingOnSignals {
            let message = try message()
            let payload = try await options.payload()
            try await connection.withClient(untilWritten: true) { client in
                if let payload {
                    try await repeatedly(message, payload, client)
                } else {
                    try await eachLine(message, client)
                }
            }
        }
    }

    /// All but the payload.
    private func message() throws -> Outgoing {
        let topic = options.topic ?? connection.address?.topic ?? ""
        try TopicName.validate(topic)
        var properties = try options.properties()
        for assignment in connection.property where assignment.packet == .publish {
            try assignment.apply(to: &properties)
        }
        return Outgoing(topic: topic, qos: options.qos, retain: options.retain, properties: properties)
    }

    private func repeatedly(_ message: Outgoing, _ payload: ByteBuffer, _ client: MQTTClient) async throws {
        for round in 0..<options.repeat.count {
            if round > 0, let delay = options.repeatDelay { try await Task.sleep(for: delay.duration) }
            try await client.publish(
                message.topic, payload, qos: message.qos, retain: message.retain, properties: message.properties)
        }
    }

    /// Lines go out without waiting for each other's acknowledgement, up to a number. One that the broker refuses is told at
    /// once and in the end, and keeps none of the others back.
    private func eachLine(_ message: Outgoing, _ client: MQTTClient) async throws {
        var lines = InputLines(limit: ConnectionOptions.largestPayload)
        var refusal: MQTTXError?
        var window = PublishWindow(size: options.maxInflight.count) { error in
            StandardError.warn("\(error)")
            refusal = refusal ?? error
        }
        while let line = try await lines.next() {
            try await window.add(
                try await client.enqueue(
                    message.topic, line, qos: message.qos, retain: message.retain, properties: message.properties))
        }
        try await window.finish()
        if let refusal { throw refusal }
    }

    private struct Outgoing: Sendable {
        let topic: String
        let qos: QoS
        let retain: Bool
        let properties: Properties
    }
}
