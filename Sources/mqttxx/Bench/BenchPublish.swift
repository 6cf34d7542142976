import ArgumentParser
import MQTTX
import Synchronization

struct BenchPublish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish messages.",
        discussion: """
            Many tasks that each await their publish, or one that queues and awaits the outcomes later (--pipelined).

            Example:
              mqttxx bench pub -t bench/1 -q 1 -s 256 -C 100000 --inflight 64
            """)

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The topic.")
    var topic: String

    @Option(name: .shortAndLong, help: "0, 1 or 2.")
    var qos: QoS = .atMostOnce

    @Option(name: .shortAndLong, help: "The size of a payload, in bytes.")
    var size = 256

    @Option(name: [.customShort("C"), .long], help: "How many messages.")
    var count = CountArgument(100_000)

    @Option(help: "How many tasks.")
    var inflight = CountArgument(64)

    @Flag(help: "One task queues; outcomes are awaited later, 10000 behind at most.")
    var pipelined = false

    @Option(help: "Messages a second at most.")
    var rate: CountArgument?

    @Flag(help: "Number the payloads, for `bench recv` to check.")
    var numbered = false

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    private static let behind = 10_000

    func validate() throws {
        guard (0...ConnectionOptions.largestPayload).contains(size) else {
            throw ValidationError("--size is 0 to \(ConnectionOptions.largestPayload)")
        }
        if numbered, size < SequenceNumber.length {
            throw ValidationError("--numbered needs a --size of \(SequenceNumber.length) or more")
        }
        if numbered, inflight.count > SequenceNumber.largestStream / 2 {
            throw ValidationError("--numbered takes --inflight \(SequenceNumber.largestStream / 2) at most")
        }
    }

    func run() async throws {
        try TopicName.validate(topic)
        try await endingOnSignals {
            try await connection.withClient { client in
                let measurement = Measurement()
                let progress = Progress()
                let pace = Pace(rate: rate?.count)
                try await progress.telling(of: count.count) {
                    try await withTaskExecutorPreference(client.taskExecutor) {
                        if pipelined {
                            try await queue(client, pace, progress)
                        } else {
                            try await publish(client, pace, progress)
                        }
                    }
                }
                let result = measurement.result("pub", messages: count.count)
                try StandardOutput.write(line: JSONValue.object(result).description)
            }
        }
    }

    private func queue(_ client: MQTTClient, _ pace: Pace, _ progress: Progress) async throws {
        var window = PublishWindow(size: Self.behind)
        // Options are looked up at every use: once is enough.
        let (topic, qos, size, numbered) = (topic, qos, size, numbered)
        let payload = ByteBuffer(repeating: UInt8(ascii: "x"), count: size)
        let stream = firstStream
        for number in 0..<count.count {
            if pace.isSet { try await pace.wait(for: number) }
            let payload = numbered ? SequenceNumber(stream: stream, number: number).payload(size: size) : payload
            try await window.add(try await client.enqueue(topic, payload, qos: qos))
            progress.add()
        }
        try await window.finish()
    }

    /// At random, so that several publishers don't take each other's streams for theirs.
    private var firstStream: Int { Int.random(in: 0...SequenceNumber.largestStream / 2) }

    /// Each task is a stream of its own: only within one is the order known.
    private func publish(_ client: MQTTClient, _ pace: Pace, _ progress: Progress) async throws {
        let (topic, qos, size, numbered, count) = (topic, qos, size, numbered, count.count)
        let payload = ByteBuffer(repeating: UInt8(ascii: "x"), count: size)
        let firstStream = firstStream
        try await withManyTasks(min(inflight.count, count)) { stream in
            var number = 0
            while let ticket = progress.next(of: count) {
                if pace.isSet { try await pace.wait(for: ticket) }
                if numbered {
                    let sequence = SequenceNumber(stream: firstStream + stream, number: number)
                    try await client.publish(topic, sequence.payload(size: size), qos: qos)
                } else {
                    try await client.publish(topic, payload, qos: qos)
                }
                number += 1
            }
        }
    }
}
