import Foundation
import MQTTX
import MQTTXBroker
import Synchronization
import Testing

@Suite(
    "A script that used mosquitto_pub works with the name exchanged", .enabled(if: MosquittoClients.areWanted),
    .timeLimit(.minutes(3)))
struct PublishParityTests {
    /// A line of the table: arguments after the topic, what standard input holds, and how many messages come of it.
    struct Line: Sendable {
        let arguments: [String]
        var input = ""
        var count = 1
    }

    static let lines = [
        Line(arguments: ["-m", "text"]), Line(arguments: ["-m", ""]), Line(arguments: ["--message", "ü €"]),
        Line(arguments: ["-m", "-5"]), Line(arguments: ["-m", "--help"]), Line(arguments: ["-m", "-D"]),
        Line(arguments: ["-m", "x", "-i", "-D"]),
        Line(arguments: ["-m", "--", "-u", "--property", "-P", "-D", "-q", "1"]), Line(arguments: ["-n"]),
        Line(arguments: ["--null-message", "-q", "1"]), Line(arguments: ["-m", "x", "-q", "1"]),
        Line(arguments: ["-m", "x", "--qos", "2"]), Line(arguments: ["-m", "x", "-r"]),
        Line(arguments: ["-m", "x", "--retain", "-q", "1"]), Line(arguments: ["-s"], input: "one\ntwo\n"),
        Line(arguments: ["-l"], input: "one\n\ntwo\r\nthree", count: 4),
        Line(arguments: ["--stdin-line", "-q", "1", "-M", "1"], input: "1\n2\n3\n", count: 3),
        Line(arguments: ["-l", "-q", "2"], input: "1\n2\n3\n4\n5\n", count: 5),
        Line(arguments: ["-l"], input: "", count: 0),
        Line(arguments: ["-l", "--repeat", "2"], input: "1\n2\n", count: 2),
        Line(arguments: ["-m", "x", "-V", "mqttv311", "-D", "publish", "content-type", "text/plain"]),
        Line(arguments: ["-m", "x", "--repeat", "3"], count: 3),
        Line(arguments: ["-m", "x", "--repeat", "2", "--repeat-delay", "0.1", "-q", "1"], count: 2),
        Line(arguments: ["-n", "--repeat", "2", "-q", "2"], count: 2),
        Line(arguments: ["-m", "x", "-V", "mqttv311"]), Line(arguments: ["-m", "x", "-V", "mqttv5"]),
        Line(arguments: ["-m", "x", "-k", "30", "--nodelay", "-M", "5", "--quiet"]),
        Line(arguments: ["-m", "x", "-D", "publish", "content-type", "text/plain"]),
        Line(arguments: ["-m", "x", "-D", "PUBLISH", "Content-Type", "text/plain"]),
        Line(arguments: ["-m", "x", "-D", "Publish", "USER-PROPERTY", "A", "B"]),
        Line(arguments: ["-m", "x", "-D", "publish", "response-topic", "a/b", "-q", "1"]),
        Line(arguments: ["-m", "x", "-D", "publish", "correlation-data", "c 1"]),
        Line(arguments: ["-m", "x", "--property", "publish", "message-expiry-interval", "1000000"]),
        Line(arguments: ["-m", "x", "-D", "publish", "payload-format-indicator", "1"]),
        Line(arguments: [
            "-m", "x", "-D", "publish", "user-property", "a", "b", "-D", "publish", "user-property", "a", "c",
        ]),
        Line(arguments: ["-m", "x", "-D", "publish", "topic-alias", "3", "--repeat", "3"], count: 3),
        Line(arguments: ["-m", "x", "--will-topic", "w", "--will-payload", "y", "-D", "will", "content-type", "z"]),
    ]

    @Test("The same messages reach the broker, with the same properties")
    func messages() async throws {
        try await withBroker { broker in
            try await broker.withClient { client in
                let heard = Heard()
                try await client.subscribe("p/+/+", qos: .exactlyOnce, retainAsPublished: true) { heard.add($0) }
                for (number, line) in Self.lines.enumerated() {
                    let topics = ["theirs", "ours"].map { "p/\(number)/\($0)" }
                    let pair = try await MosquittoClients.publish(
                        { broker.arguments + ["-t", "p/\(number)/\($0)"] + line.arguments },
                        input: Array(line.input.utf8))
                    pair.expectAlike(line.arguments)
                    #expect(pair.ours.status == 0, "\(line.arguments): \(pair.ours.errors)")
                    for topic in topics { await heard.wait(for: line.count, on: topic) }
                    #expect(heard.on(topics[1]) == heard.on(topics[0]), "\(line.arguments)")
                }
                #expect(heard.total == 2 * Self.lines.map(\.count).reduce(0, +))
            }
        }
    }

    @Test("A file goes out byte for byte")
    func file() async throws {
        let bytes = (0..<200_000).map { _ in UInt8.random(in: 0...255) }
        try await withTemporaryDirectory { directory in
            try Data(bytes).write(to: directory.appending(path: "data"))
            try await withBroker { broker in
                let pair = try await MosquittoClients.publish {
                    broker.arguments + ["-t", "f/\($0)", "-r", "-q", "1", "-f", directory.file("data")]
                }
                pair.expectAlike(["-f"])
                for who in ["ours", "theirs"] {
                    let read = try await broker.run("sub", "-t", "f/\(who)", "-N", "-C", "1")
                    #expect(read.bytes == bytes)
                }
            }
        }
    }

    @Test("The broker is told the same about the client")
    func identity() async throws {
        let recorder = ConnectRecorder()
        var config = BrokerConfig(listeners: [.tcp()])
        config.authenticator = recorder
        try await withBroker(config) { broker in
            let common = ["-t", "a", "-m", "x", "-V", "5"]
            for line in [
                ["-u", "user", "-P", "pass word", "-i", "id"], ["-u", "user", "-i", "id", "--pw", "ü"],
                ["--username", "u:s@r", "--id", "i d"],
            ] {
                try await MosquittoClients.publish { _ in broker.arguments + common + line }.expectAlike(line)
            }
            let url = "mqtt://us%3Aer:pa@127.0.0.1:\(broker.port)/a"
            _ = try await MosquittoClients.publish { _ in
                ["-L", url.replacing("%3A", with: ""), "-m", "x", "-i", "url"]
            }
            _ = try await MosquittoClients.publish { _ in broker.arguments + common + ["-I", "pre", "-u", "prefix"] }
            let seen = recorder.attempts
            #expect(seen.count == 10)
            for pair in stride(from: 0, to: 8, by: 2) {
                #expect(seen[pair].clientID == seen[pair + 1].clientID)
                #expect(seen[pair].username == seen[pair + 1].username)
                #expect(seen[pair].password == seen[pair + 1].password)
            }
            for attempt in seen.suffix(2) { #expect(attempt.clientID.wholeMatch(of: /pre[0-9]+/) != nil) }
        }
    }

    @Test(
        "What we don't have is refused by name, with exit code 64",
        arguments: [
            ["-A", "127.0.0.1"], ["-S"], ["--psk", "aa"], ["--psk-identity", "x"], ["--tls-engine", "x"],
            ["--tls-engine-kpass-sha1", "x"], ["--keyform", "engine"], ["--tls-version", "tlsv1.1"], ["-V", "mqttv31"],
            ["-D", "auth", "reason-string", "x"], ["-D", "puback", "reason-string", "x"],
            ["-D", "publish", "nonsense", "1"],
            ["-D", "connect", "authentication-method", "x"], ["--no-such-flag"], ["-Z"],
        ])
    func refused(_ line: [String]) throws {
        for command in [["pub", "-t", "a", "-m", "x"], ["sub", "-t", "a"]] {
            let ending = try #require(Tool.ending(command + line))
            #expect(ending.status == 64)
            #expect(ending.text.contains(line[0]), "\(ending.text)")
            #expect(!ending.text.contains { $0.isNewline || $0 == "\0" })
        }
    }

    @Test(
        "What mosquitto_pub refuses we refuse as well",
        arguments: [
            [], ["-t", "a"], ["-m", "x"], ["-t", "a", "-m", "x", "-n"], ["-t", "a/#", "-m", "x"],
            ["-t", "+", "-m", "x"],
            ["-t", "a", "-m"], ["-t", "a", "-m", "x", "-q", "3"], ["-t", "a", "-m", "x", "-p", "-1"],
            ["-t", "a", "-m", "x", "-i", "a", "-I", "b"], ["-t", "a", "-m", "x", "-x", "y"],
            ["-t", "a", "-m", "x", "-x", "-1", "-V", "5"], ["-t", "a", "-m", "x", "-x", "4294967295", "-V", "5"],
            ["-t", "a", "-f", "/no/such"], ["-t", "a", "-s"],
            ["-t", "a", "-m", "x", "--repeat", "0"], ["-t", "a", "-m", "x", "--repeat-delay", "-1"],
            ["-t", "a", "-m", "x", "--will-payload", "y"],
            ["-t", "a", "-m", "x", "--will-qos", "4", "--will-topic", "w"],
            ["-t", "a", "-m", "x", "--cert", "y"], ["-t", "a", "-m", "x", "-L", "foo://a/b"],
            ["-t", "a", "-m", "x", "-D", "publish", "content-type"],
            ["-t", "a", "-m", "x", "-D", "will", "topic-alias", "1"],
            ["-t", "a", "-m", "x", "-D", "publish", "topic-alias", "70000"], ["-t", "a", "-m", "x", "--proxy", "http"],
        ])
    func refusedByBoth(_ line: [String]) async throws {
        try await withBroker { broker in
            let pair = try await MosquittoClients.publish { _ in broker.arguments + line }
            #expect(pair.theirs.status != 0)
            #expect(pair.ours.status == 64 || pair.ours.status == 20, "\(pair.ours.errors)")
            #expect(broker.statistics.messagesReceived == 0)
        }
    }
}

/// What has arrived, by topic.
private final class Heard: Sendable {
    private struct State {
        var messages: [String: [String]] = [:]
        var waiter: (count: Int, topic: String, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())

    func add(_ message: MQTTMessage) {
        let properties = message.properties
        let said = """
            \(Array(message.payload.readableBytesView)) \(message.qos) \(message.retain) \
            \(properties.contentType ?? "-") \(properties.responseTopic ?? "-") \
            \(properties.correlationData.map { String(buffer: $0) } ?? "-") \
            \(properties.messageExpiryInterval.map { $0 > 999_000 } ?? false) \
            \(properties.payloadFormatIndicator ?? 9) \(properties.userProperties.map { "\($0.name)=\($0.value)" })
            """
        state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.messages[message.topic, default: []].append(said)
            guard let waiter = state.waiter, state.messages[waiter.topic]?.count ?? 0 >= waiter.count else {
                return nil
            }
            state.waiter = nil
            return waiter.continuation
        }?.resume()
    }

    func on(_ topic: String) -> [String] { state.withLock { $0.messages[topic] ?? [] } }
    var total: Int { state.withLock { $0.messages.values.reduce(0) { $0 + $1.count } } }

    func wait(for count: Int, on topic: String) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.messages[topic]?.count ?? 0 >= count { return true }
                state.waiter = (count, topic, continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}
