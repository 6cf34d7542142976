import ArgumentParser
import MQTTX

struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Is an RPC peer there, and how fast does it answer?",
        discussion: """
            Any answer counts, errors too. Ends with status 32 if there was none.

            Example:
              mqttxx ping edge/device_123
            """)

    @Argument(help: "The topic where the peer takes requests.")
    var topic: String

    @Option(name: [.customShort("C"), .long], help: "How many pings.")
    var count = CountArgument(4)

    @Option(help: "Seconds between pings.")
    var interval = SecondsArgument(1)

    @Option(help: "Seconds to wait for an answer.")
    var timeout = SecondsArgument(5)

    @OptionGroup(title: "Messages") var rpc: RPCOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run() async throws {
        try await endingOnSignals {
            try TopicName.validate(topic)
            try await connection.withClient { client in
                let manager = RPCManager(client, config: RPCConfig(form: rpc.form), codec: rpc.messageCodec)
                var times = RoundTrips()
                for number in 1...count.count {
                    if number > 1 { try await Task.sleep(for: interval.duration) }
                    let time = try await roundTrip(manager)
                    times.add(time)
                    try StandardOutput.write(line: line(number, time))
                }
                try StandardOutput.write(line: "--- \(topic) ---\n\(times.summary)")
                if times.received == 0 { throw MQTTXError(.rpcTimeout, "\(topic) did not answer") }
            }
        }
    }

    /// Nil if nothing came in time.
    private func roundTrip(_ manager: RPCManager) async throws -> Duration? {
        let start = ContinuousClock.now
        do {
            try await manager.call(topic, "__ping__", timeout: timeout.duration)
        } catch let error as MQTTXError {
            switch error.code {
            case .rpcTimeout: return nil
            case _ where error.category == .connection: throw error
            // The peer has said something: it is there.
            default: break
            }
        }
        return start.duration(to: .now)
    }

    private func line(_ number: Int, _ time: Duration?) -> String {
        guard let time else { return "no answer from \(topic): seq=\(number)" }
        return "answer from \(topic): seq=\(number) time=\(RoundTrips.milliseconds(time)) ms"
    }
}
