import ArgumentParser
import Foundation
import MQTTX

/// What `pub` publishes.
struct PublishOptions: ParsableArguments {
    @Option(name: .shortAndLong, parsing: .unconditional, help: "The topic.")
    var topic: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The payload.")
    var message: String?

    @Option(
        name: [.customShort("f"), .long, .customLong("file-read")], parsing: .unconditional,
        help: "Publish the contents of this file.")
    var file: String?

    @Flag(name: [.customShort("s"), .customLong("stdin-file"), .customLong("stdin")], help: "Publish standard input.")
    var standardInput = false

    @Flag(
        name: [.customShort("l"), .customLong("stdin-line"), .customLong("line-mode")],
        help: "Publish standard input, each line by itself.")
    var lines = false

    @Flag(name: [.customShort("n"), .customLong("null-message")], help: "Publish an empty payload.")
    var empty = false

    @Option(name: .shortAndLong, help: "0, 1 or 2.")
    var qos: QoS = .atMostOnce

    @Flag(name: .shortAndLong, help: "Have the broker keep it for those who subscribe later.")
    var retain = false

    @Option(help: "How many times, without -l.")
    var `repeat` = CountArgument(1)

    @Option(help: "Seconds between repetitions.")
    var repeatDelay: SecondsArgument?

    @Option(name: [.customShort("M"), .long], help: "With -l: how many may be on their way unacknowledged.")
    var maxInflight = CountArgument(20)

    @Option(parsing: .unconditional, help: "MQTT 5.0: what the payload is.")
    var contentType: String?

    @Option(parsing: .unconditional, help: "MQTT 5.0: where to answer.")
    var responseTopic: String?

    @Option(parsing: .unconditional, help: "MQTT 5.0: what an answer carries back.")
    var correlationData: String?

    @Option(help: "MQTT 5.0: seconds that it may wait for a subscriber.")
    var messageExpiryInterval: UInt32?

    @Flag(help: "MQTT 5.0: the payload is text in UTF-8.")
    var payloadFormatIndicator = false

    @Option(
        name: [.long, .customLong("user-properties")], parsing: .unconditionalSingleValue,
        help: "MQTT 5.0: a user property, NAME:VALUE.")
    var userProperty: [NamedValue] = []

    func checkSource() throws {
        let count = [message != nil, file != nil, standardInput, lines, empty].filter { $0 }.count
        guard count > 0 else { throw ValidationError("a payload is missing: -m, -f, -s, -l or -n") }
        guard count == 1 else { throw ValidationError("-m, -f, -s, -l and -n exclude each other") }
    }

    /// The payload; nil when it comes line by line.
    func payload() async throws -> ByteBuffer? {
        if let message { return ByteBuffer(string: message) }
        if empty { return ByteBuffer() }
        if standardInput { return try await standardInputPayload() }
        return try await file.map { try InputFile(path: $0) }?.all(limit: ConnectionOptions.largestPayload)
    }

    /// A program that failed has written nothing: that is not to delete a retained message.
    private func standardInputPayload() async throws -> ByteBuffer {
        let payload = try await InputFile.standard.all(limit: ConnectionOptions.largestPayload)
        guard payload.readableBytes > 0 else {
            throw ValidationError("standard input is empty; -n publishes an empty payload")
        }
        return payload
    }

    func properties() throws -> Properties {
        .with {
            $0.contentType = contentType
            $0.responseTopic = responseTopic
            $0.correlationData = correlationData.map { ByteBuffer(string: $0) }
            $0.messageExpiryInterval = messageExpiryInterval
            $0.payloadFormatIndicator = payloadFormatIndicator ? 1 : nil
            $0.userProperties += userProperty.map { UserProperty($0.name, $0.value) }
        }
    }
}
