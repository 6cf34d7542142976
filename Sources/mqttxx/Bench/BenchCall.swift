import ArgumentParser
import MQTTX
import Synchronization

struct BenchCall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc",
        abstract: "Call a method, many times.",
        discussion: """
            Example, in two terminals:
              mqttxx serve bench/echo --echo
              mqttxx bench rpc -t bench/echo -C 10000 --concurrency 64
            """)

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The topic where the service takes requests.")
    var topic: String

    @Option(help: "The method.")
    var method = "echo"

    @Option(name: [.customShort("C"), .long], help: "How many calls.")
    var count = CountArgument(10_000)

    @Option(help: "How many at once.")
    var concurrency = CountArgument(1)

    @Option(parsing: .unconditional, help: "What the method gets, as JSON.")
    var params = #"{"id": 1, "cmd": "restart", "vals": [1.5, 2.5]}"#

    @Option(help: "Seconds to wait for a response.")
    var timeout = SecondsArgument(30)

    @OptionGroup(title: "Messages") var rpc: RPCOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run() async throws {
        try await endingOnSignals {
            try TopicName.validate(topic)
            let params = try JSONValue(jsonText: params)
            try await connection.withClient { client in
                let manager = RPCManager(
                    client, config: RPCConfig(maxConcurrentCalls: concurrency.count, form: rpc.form),
                    codec: rpc.messageCodec)
                // The inbox is subscribed to by the first call, which is not measured. It also shows whether it works.
                try await manager.call(topic, method, params: params, timeout: timeout.duration)
                let measurement = Measurement()
                let run = try await callAll(manager, params)
                var extra = run.latencies.json
                extra["errors"] = .int(Int64(run.errors))
                let result = measurement.result("rpc", messages: count.count, extra: extra)
                try StandardOutput.write(line: JSONValue.object(result).description)
            }
        }
    }

    /// Of all callers: the histograms of many would not stay in the processor's cache.
    private final class Tally: Sendable {
        struct Counts {
            var latencies = Latencies()
            var errors = 0
        }

        private let counts = Mutex(Counts())

        func note(_ duration: Duration) { counts.withLock { $0.latencies.record(duration) } }
        func noteError() { counts.withLock { $0.errors += 1 } }
        var result: Counts { counts.withLock { $0 } }
    }

    private func callAll(_ manager: RPCManager, _ params: JSONValue) async throws -> Tally.Counts {
        let progress = Progress()
        return try await progress.telling(of: count.count) {
            let tally = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<min(concurrency.count, count.count) {
                    group.addTask(executorPreference: manager.client.taskExecutor) {
                        try await call(manager, params, progress, tally)
                    }
                }
                // The first that fails ends the others.
                while try await group.next() != nil {}
            }
            return tally.result
        }
    }

    private func call(
        _ manager: RPCManager, _ params: JSONValue, _ progress: Progress, _ tally: Tally
    ) async throws {
        // Options are looked up at every use: once is enough.
        let (topic, method, timeout, count) = (topic, method, timeout.duration, count.count)
        while progress.next(of: count) != nil {
            let start = ContinuousClock.now
            do {
                try await manager.call(topic, method, params: params, timeout: timeout)
                tally.note(start.duration(to: .now))
            } catch let error as MQTTXError where error.category != .connection {
                tally.noteError()
            }
        }
    }
}
