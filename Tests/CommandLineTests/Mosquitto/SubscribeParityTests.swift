import Foundation
import MQTTX
import MQTTXBroker
import TestSupport
import Testing

@Suite(
    "A script that used mosquitto_sub works with the name exchanged", .enabled(if: MosquittoClients.areWanted),
    .timeLimit(.minutes(3)))
struct SubscribeParityTests {
    private static let binary: [UInt8] = [0x61, 0, 1, 255, 10, 13, 9, 34, 92]

    /// Retained messages of all kinds.
    private func withMessages(_ body: (Broker) async throws -> Void) async throws {
        var config = BrokerConfig(listeners: [.tcp()])
        config.deniedFilters = ["denied", "+/1"]
        try await withBroker(config) { broker in
            try await broker.retain([
                ("r/1", Array("one".utf8)), ("r/2", Array("zwei ü €".utf8)),
                ("r/4", Array(#"{"a":[1,2.5,"x",{"y":null}],"b":true,"c":"/\"\\\né"}"#.utf8)), ("r/5", Self.binary),
            ])
            try await broker.withClient { client in
                let full = Properties.with {
                    $0.contentType = "text/plain"
                    $0.responseTopic = "re/ply"
                    $0.correlationData = ByteBuffer(string: "c 1")
                    $0.payloadFormatIndicator = 1
                }
                try await client.publish("r/3", "three", qos: .exactlyOnce, retain: true, properties: full)
                let user = Properties.with {
                    $0.userProperties = [UserProperty("a", "b"), UserProperty("c", "d"), UserProperty("a", "e")]
                }
                try await client.publish("r/6", "six", qos: .atLeastOnce, retain: true, properties: user)
            }
            try await body(broker)
        }
    }

    @Test("Retained messages come out the same, whatever the options")
    func options() async throws {
        let lines: [[String]] = [
            ["-t", "r/+", "-C", "5"], ["-t", "r/+", "-C", "5", "-v"], ["-t", "r/+", "-C", "5", "-N"],
            ["-t", "r/+", "-C", "5", "-v", "-N"], ["-t", "r/1", "-t", "r/2", "-C", "2", "-v"],
            ["-t", "r/#", "-T", "r/2", "-T", "r/4", "-C", "3", "-v"],
            ["--topic", "r/#", "--filter-out", "r/+", "-W", "1"],
            ["-t", "r/#", "-R", "-W", "1"], ["-t", "r/#", "--retained-only", "-C", "2"], ["-t", "none", "-W", "1"],
            ["-t", "r/#", "-E"], ["-t", "denied", "-t", "r/1", "-C", "1", "-v"], ["-t", "+/1", "-t", "r/1", "-C", "1"],
            ["-t", "r/+", "-t", "r/#", "-C", "12", "-v"], ["-t", "r/+", "-t", "r/#", "-C", "12", "-v", "-V", "311"],
            ["-t", "r/1", "-t", "$share/g/r/1", "-t", "#", "-C", "7", "-V", "5"],
            ["-t", "r/1", "-q", "1", "-C", "1"],
            ["-t", "r/1", "--qos", "2", "-C", "1", "--verbose"], ["-t", "r/1", "-C", "1", "-k", "5"],
            ["-t", "r/1", "-C", "1", "-V", "mqttv311"], ["-t", "r/1", "-C", "1", "-V", "mqttv5"],
            ["-t", "r/1", "-C", "1", "-V", "311"], ["-t", "r/1", "-C", "1", "--protocol-version", "5"],
            ["-t", "r/1", "-C", "1", "-i", "x"], ["-t", "r/1", "-C", "1", "-I", "x"],
            ["-t", "r/1", "-C", "1", "--nodelay"],
            ["-t", "r/1", "-C", "1", "--quiet"], ["-t", "r/1", "-C", "1", "-u", "a", "--pw", "b"],
            ["-t", "r/1", "-C", "1", "--will-topic", "w", "--will-payload", "x", "--will-qos", "1", "--will-retain"],
            ["-t", "r/1", "-C", "1", "-V", "5", "-x", "10"],
            ["-t", "r/1", "-C", "1", "--retain-as-published", "-V", "5"],
            ["-t", "r/1", "-C", "1", "-D", "connect", "session-expiry-interval", "5"],
            ["-t", "r/1", "-C", "1", "-D", "connect", "receive-maximum", "5"],
            ["-t", "r/1", "-C", "1", "-D", "connect", "topic-alias-maximum", "5"],
            ["-t", "r/1", "-C", "1", "-D", "connect", "user-property", "a", "b"],
            ["-t", "r/1", "-C", "1", "-D", "disconnect", "session-expiry-interval", "0"],
            ["-t", "r/1", "-C", "1", "-D", "will", "will-delay-interval", "5", "--will-topic", "w"],
            ["-t", "r/1", "-C", "1", "-D", "subscribe", "subscription-identifier", "77", "-F", "%S|%5S|%j"],
            ["-t", "r/1", "-C", "1", "-D", "connect", "maximum-packet-size", "100000"],
            ["-t", "r/1", "-C", "1", "-D", "subscribe", "user-property", "a", "b"],
            ["-t", "r/1", "-C", "1", "-U", "x", "-D", "unsubscribe", "user-property", "a", "b"],
            ["-t", "r/1", "-C", "1", "-D", "disconnect", "user-property", "a", "b"],
            ["-t", "r/1", "-C", "1", "-D", "disconnect", "reason-string", "a"],
        ]
        try await withMessages { broker in
            for line in lines {
                let pair = try await MosquittoClients.subscribe(broker.arguments + line)
                try #require(pair.theirs.errors.contains("Unknown") == false, "\(line): \(pair.theirs.errors)")
                pair.expectAlike(line)
            }
        }
    }

    @Test("Every format gives the same bytes")
    func formats() async throws {
        let formats = [
            "%t %p", "%q%r", "%l|%5l|%05l|%-5l|%-05l|", "%m|%3m|%03m", "%t|%8t|%-8t|%08t|%.2t|%8.2t|%-8.2t|",
            "%p|%2p|%10p|%-10p|%010p|", "%x|%X|", "%C|%5C|%-20C|%.3C", "%D|%9D", "%A|%3A|%03A", "%E|%4E",
            "%F|%3F|%03F|%-3F|",
            "%P|%30P", "%R|%9R|%.2R|", "%S|%3S", "%%|@@|100%%", "\\t\\n\\r\\a\\e\\v\\0\\\\", "@Y-@m-@d", "%j", "%J",
            "plain", "",
            "%p%p%p", "ü %t €", "@Z@y%t@@",
        ]
        try await withMessages { broker in
            for format in formats {
                let line = ["-t", "r/1", "-t", "r/2", "-t", "r/3", "-t", "r/4", "-C", "4", "-F", format, "-V", "5"]
                let pair = try await MosquittoClients.subscribe(broker.arguments + line)
                pair.expectAlike([format])
            }
            for line in [["%j", "--pretty"], ["%J", "--pretty"], ["%P"], ["%t|%p|%x", "-N"]] {
                let arguments = ["-t", line[0] == "%P" ? "r/6" : "r/4", "-C", "1", "-V", "5", "-F"] + line
                let pair = try await MosquittoClients.subscribe(broker.arguments + arguments)
                pair.expectAlike(line)
            }
            for line in [["%j"], ["%j", "--pretty"]] {
                let arguments = ["-t", "r/6", "-C", "1", "-V", "5", "-F"] + line
                try await MosquittoClients.subscribe(broker.arguments + arguments).expectAlike(line)
            }
            let time = try await MosquittoClients.subscribe(
                broker.arguments + ["-t", "r/1", "-C", "1", "-F", "%I %U @H:@M:@S.@N"])
            let shapes = [time.ours, time.theirs].map { $0.output.replacing(/[0-9]/, with: "0") }
            #expect(shapes[0] == shapes[1])
        }
    }

    @Test(
        "Queued messages come out the same, empty ones too",
        arguments: [
            [], ["-v"], ["-N"], ["-v", "-N"], ["-F", "%t|%p|%l|%q|%r"], ["-F", "%j"], ["-F", "%J"], ["-T", "q/2"],
            ["-t", "other"], ["-U", "other"],
        ])
    func queued(_ line: [String]) async throws {
        try await withBroker { broker in
            let messages = [("q/1", "one"), ("q/2", ""), ("q/3", "3")]
            for id in ["theirs", "ours"] { try await broker.queue(messages, for: id, filter: "q/#") }
            let common =
                broker.arguments + ["-t", "q/#", "-q", "1", "-c", "-C", line.contains("q/2") ? "2" : "3"] + line
            async let theirs = Tool.run(common + ["-i", "theirs"], program: Checkout.tool("mosquitto_sub"))
            async let ours = Tool.run(["sub"] + common + ["-i", "ours"])
            try await MosquittoClients.Pair(theirs: theirs, ours: ours).expectAlike(line)
        }
    }

    @Test("--remove-retained removes what it prints, and nothing else")
    func removeRetained() async throws {
        // With -C as well mosquitto_sub never ends.
        for (program, first, last, status, count) in [
            (try Checkout.tool("mosquitto_sub"), [], ["-W", "2"], 27, 1),
            (Tool.path, ["sub"], ["-W", "2"], 27, 1), (Tool.path, ["sub"], ["-C", "3"], 0, 3),
        ] as [(String, [String], [String], Int32, Int)] {
            try await withMessages { broker in
                let line = broker.arguments + ["-t", "r/#", "-T", "r/1", "--remove-retained", "-v"]
                let result = try await Tool.run(first + line + last, program: program)
                #expect(result.status == status, "\(result.errors)")
                let left = try await broker.run("sub", "-t", "r/#", "-F", "%t", "-W", "1")
                #expect(left.lines.contains("r/1"))
                #expect(left.lines.count == count)
            }
        }
    }

    @Test("The topic of -L is one more")
    func address() async throws {
        try await withMessages { broker in
            for topic in [[], ["-t", "r/2"], ["-t", "r/2", "-t", "r/5"]] {
                let line = ["-L", "mqtt://127.0.0.1:\(broker.port)/r/4", "-C", "\(topic.count / 2 + 1)"] + topic
                try await MosquittoClients.subscribe(line).expectAlike(line)
            }
        }
    }

    @Test("What is no number in JSON is null in %J", arguments: [["%J"], ["%J", "--pretty"]])
    func numbers(_ format: [String]) async throws {
        try await withBroker { broker in
            try await broker.retain("n", #"{"a":[1e400,-1e400],"b":{"c":1e999,"d":1.50}}"#)
            let line = ["-t", "n", "-C", "1", "-F"] + format
            try await MosquittoClients.subscribe(broker.arguments + line).expectAlike(line)
        }
    }

    @Test("A message that matches several filters is printed once", arguments: ["5", "311"])
    func overlapping(_ version: String) async throws {
        try await withBroker { broker in
            let line = ["-t", "o/#", "-t", "o/+", "-t", "o/+", "-t", "o/1", "-C", "4", "-v", "-q", "1", "-V", version]
            let ours = try RunningTool(["sub"] + broker.arguments + line)
            let theirs = try RunningTool(broker.arguments + line, program: Checkout.tool("mosquitto_sub"))
            try await broker.untilSubscribed(6)
            try await broker.withClient { client in
                for payload in ["a", "a", "b", "a"] { try await client.publish("o/1", payload, qos: .atLeastOnce) }
            }
            #expect(await ours.result().output == "o/1 a\no/1 a\no/1 b\no/1 a\n")
            #expect(await theirs.result().output == "o/1 a\no/1 a\no/1 b\no/1 a\n")
        }
    }

    @Test("-c keeps a session, -U ends a subscription of it")
    func sessions() async throws {
        try await withBroker { broker in
            for (id, program, first) in [
                ("theirs", try Checkout.tool("mosquitto_sub"), []), ("ours", Tool.path, ["sub"]),
            ] {
                func run(_ line: String...) async throws -> Tool.Result {
                    try await Tool.run(first + broker.arguments + ["-c", "-i", id] + line, program: program)
                }
                #expect(try await run("-t", "s/1", "-t", "s/2", "-q", "1", "-E").status == 0)
                #expect(try await run("-t", "s/1", "-U", "s/2", "-q", "1", "-W", "1").status == 27)
                try await broker.withClient { client in
                    try await client.publish("s/2", "two", qos: .atLeastOnce)
                    try await client.publish("s/1", "one", qos: .atLeastOnce)
                }
                let result = try await run("-t", "s/1", "-q", "1", "-C", "1", "-v")
                #expect(result.output == "s/1 one\n", "\(id)")
            }
        }
    }

    @Test("A will reaches the others when the process is killed, and not when it ends by a signal")
    func will() async throws {
        try await withBroker { broker in
            for (program, first) in [(try Checkout.tool("mosquitto_sub"), []), (Tool.path, ["sub"])] {
                try await broker.retain("ready", "yes")
                let watcher = try broker.start("sub", "-t", "will/#", "-t", "ready", "-v")
                #expect(await watcher.nextLine() == "ready yes")
                let line = broker.arguments + ["-t", "ready", "--will-topic", "will/x", "--will-payload", "gone"]
                let killed = try RunningTool(first + line, program: program)
                #expect(await killed.nextLine() == "yes")
                killed.kill()
                #expect(await watcher.nextLine() == "will/x gone")
                let ended = try RunningTool(first + line, program: program)
                #expect(await ended.nextLine() == "yes")
                ended.interrupt()
                _ = await ended.status()
                try await broker.withClient { try await $0.publish("will/end", "end", qos: .atLeastOnce) }
                #expect(await watcher.nextLine() == "will/end end")
            }
        }
    }

    @Test("Defaults stand in a file of the user's")
    func userFile() async throws {
        try await withMessages { broker in
            try await withTemporaryDirectory { directory in
                let text = "# defaults\n-h 127.0.0.1\n-p \(broker.port)\n--topic r/1\n-v\n"
                _ = try directory.write("mosquitto_sub", text)
                _ = try directory.write("mqttxx_sub", text)
                let environment = ["XDG_CONFIG_HOME": directory.path]
                let pair = try await MosquittoClients.subscribe(["-C", "1"], environment: environment)
                pair.expectAlike([text])
                #expect(pair.ours.output == "r/1 one\n")
            }
        }
    }

    @Test("A URL takes the place of the address in that file")
    func userFileAndURL() async throws {
        try await withMessages { broker in
            try await withTemporaryDirectory { directory in
                let text = "-h nowhere.invalid\n-p 1\n-u user\n-P secret\n-v\n"
                for name in ["mosquitto_sub", "mqttxx_sub"] { _ = try directory.write(name, text) }
                let pair = try await MosquittoClients.subscribe(
                    ["-L", "mqtt://127.0.0.1:\(broker.port)/r/1", "-C", "1"],
                    environment: ["XDG_CONFIG_HOME": directory.path])
                pair.expectAlike([text])
                #expect(pair.ours.output == "r/1 one\n")
            }
        }
    }

    @Test("-U of a filter that is not allowed keeps nothing else from coming")
    func refusedFilter() async throws {
        try await withMessages { broker in
            let line = ["-t", "r/1", "-U", "denied", "-C", "1"]
            try await MosquittoClients.subscribe(broker.arguments + line).expectAlike(line)
        }
    }
}
