import ArgumentParser
import MQTTX
import Synchronization

struct BenchReceive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recv",
        abstract: "Receive messages in an async handler.",
        discussion: """
            Counts what was lost, duplicated or reordered when `bench pub --numbered` sent it.

            Example:
              mqttxx bench recv -t 'bench/#' -q 1 -C 100000
            """)

    @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: "A topic filter. (repeatable)")
    var topic: [String]

    @Option(name: .shortAndLong, help: "0, 1 or 2.")
    var qos: QoS = .atMostOnce

    @Option(name: [.customShort("C"), .long], help: "How many messages.")
    var count = CountArgument(100_000)

    @Option(name: [.customShort("W"), .customLong("timeout")], help: "Give up after so many seconds, with status 27.")
    var seconds: SecondsArgument?

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run() async throws {
        try await endingOnSignals {
            try await connection.withClient(adjusting: { $0.handlersRunOnEventLoop = true }) { client in
                let ending = Ending()
                let receiver = Receiver(total: count.count, ending: ending)
                let measurement = Measurement()
                for filter in topic {
                    try await client.subscribe(filter, qos: qos) { message async in receiver.take(message) }
                }
                var failure: (any Error)?
                do {
                    try await receiver.progress.telling(of: count.count) {
                        try await endingAfter(seconds?.seconds) { try await ending.await(client) }
                    }
                } catch let error as TimeRanOut {
                    failure = error
                }
                let result = measurement.result(
                    "recv", messages: receiver.messages, began: receiver.began, extra: receiver.sequence)
                try StandardOutput.write(line: JSONValue.object(result).description)
                if let failure { throw failure }
            }
        }
    }
}

/// Counts messages on any thread.
private final class Receiver: Sendable {
    private struct State {
        var check = SequenceCheck()
        var began: ContinuousClock.Instant?
    }

    let progress = Progress()
    private let state = Mutex(State())
    private let total: Int
    private let ending: Ending

    init(total: Int, ending: Ending) {
        self.total = total
        self.ending = ending
    }

    func take(_ message: MQTTMessage) {
        let count = progress.add()
        guard count <= total else { return }
        if count == 1 { state.withLock { $0.began = .now } }
        if let number = SequenceNumber(message.payload) { state.withLock { $0.check.add(number) } }
        if count == total { ending.finish() }
    }

    var messages: Int { min(progress.count, total) }
    var began: ContinuousClock.Instant? { state.withLock { $0.began } }

    var sequence: JSONObject {
        state.withLock { state in
            guard state.check.numbered > 0 else { return [:] }
            return [
                "lost": .int(Int64(state.check.lost)),
                "duplicated": .int(Int64(state.check.duplicated)),
                "reordered": .int(Int64(state.check.reordered)),
            ]
        }
    }
}
