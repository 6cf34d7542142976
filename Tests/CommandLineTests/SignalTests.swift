import Foundation
import MQTTX
import MQTTXBroker
import Testing

@Suite("Signals and closed pipes", .timeLimit(.minutes(2)))
struct SignalTests {
    @Test(
        "SIGINT and SIGTERM end a command with 130 and 143, and tell the broker so",
        arguments: [
            ["sub", "-t", "ready", "-v"], ["listen", "#"], ["serve", "a", "--echo"], ["bench", "recv", "-t", "#"],
            ["bench", "pub", "-t", "a", "--rate", "1"], ["ping", "nobody"],
            ["call", "nobody", "m"],
        ])
    func signals(_ command: [String]) async throws {
        try await withBroker { broker in
            // The will comes only from connections that end without a word.
            let watcher = try broker.start("sub", "-t", "will", "-t", "end")
            try await broker.untilSubscribed(2)
            for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
                let before = broker.statistics
                let tool = try RunningTool(
                    command + broker.arguments + ["--will-topic", "will", "--will-payload", "x"])
                // Before it is connected it has nothing to say to the broker.
                while broker.statistics.subscriptions <= 2,
                    broker.statistics.messagesReceived == before.messagesReceived
                { try await Task.sleep(for: .milliseconds(10)) }
                if signal == SIGINT { tool.interrupt() } else { tool.terminate() }
                let result = await tool.result()
                #expect(result.status == status)
                #expect(result.errors.isEmpty, "\(result.errors)")
            }
            try await broker.withClient { try await $0.publish("end", "end", qos: .atLeastOnce) }
            #expect(await watcher.nextLine() == "end")
        }
    }

    @Test("SIGQUIT ends a command at once, without a word")
    func quit() async throws {
        try await withBroker { broker in
            try await broker.retain("r", "x")
            let tool = try broker.start("sub", "-t", "r")
            #expect(await tool.nextLine() == "x")
            tool.quit()
            let result = await tool.result()
            #expect(result.status == 131 && result.errors.isEmpty)
        }
    }

    @Test("A broker that ends while clients connect says nothing of it")
    func connecting() async throws {
        for _ in 0..<20 {
            let broker = try RunningTool(["broker", "--port", "0"])
            let port = try #require(await broker.nextLine()?.split(separator: ":").last)
            let sockets = try (0..<3).map { _ in try Loopback.connect(String(port)) }
            broker.terminate()
            let result = await broker.result()
            #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
            for socket in sockets { close(socket) }
        }
    }

    @Test("A broker ends with 0 by both signals, and its clients hear of it")
    func broker() async throws {
        for signal in [SIGINT, SIGTERM] {
            let broker = try RunningTool(["broker", "--port", "0"])
            let port = try #require(await broker.nextLine()?.split(separator: ":").last)
            let client = try RunningTool(["bench", "recv", "-t", "a", "-p", String(port)])
            let published = try await Tool.run(["pub", "-p", String(port), "-t", "x", "-m", "x", "-q", "1"])
            #expect(published.status == 0)
            if signal == SIGINT { broker.interrupt() } else { broker.terminate() }
            #expect(await broker.status() == 0)
            #expect(await client.status() == 10)
        }
    }

    @Test("Lines come out at once when standard output is a pipe")
    func flushing() async throws {
        try await withBroker { broker in
            try await broker.retain("a", #"{"v":1}"#)
            let sub = try broker.start("sub", "-t", "a", "-v")
            let listen = try broker.start("listen", "a")
            #expect(await sub.nextLine() == #"a {"v":1}"#)
            #expect(await listen.nextLine() == #"{"topic":"a","message":{"v":1}}"#)
        }
    }

    @Test("A command whose reader has gone ends quietly, whether or not there is more to print")
    func closedPipe() async throws {
        try await withBroker { broker in
            try await broker.retain([("r/1", [0x61]), ("r/2", [0x62]), ("r/3", [0x63])])
            let options = broker.arguments.joined(separator: " ")
            for line in ["sub \(options) -t 'r/#'", "listen \(options) '#' -q 0", "sub \(options) -t none"] {
                let result = try await Tool.shell("mqttxx \(line) | true")
                #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
            }
            let head = try await Tool.shell("mqttxx sub \(options) -t 'r/#' | head -1")
            #expect(["a\n", "b\n", "c\n"].contains(head.output) && head.errors.isEmpty)
        }
    }

    @Test("With its standard streams closed a command does its work, and says what it can't")
    func closedStreams() async throws {
        try await withBroker { broker in
            try await broker.retain("r", "x")
            let options = broker.arguments.joined(separator: " ")
            let silent = try await Tool.shell("mqttxx pub \(options) -t a -m x -q 1 <&- >&- 2>&-")
            #expect(silent.status == 0)
            #expect(broker.statistics.messagesReceived == 2)
            let output = try await Tool.shell("mqttxx sub \(options) -t r -C 1 >&-")
            #expect(output.status == 74 && output.errors.contains("Bad file descriptor"), "\(output.errors)")
            for line in ["-s <&-", "-l <&-", "-l </"] {
                let input = try await Tool.shell("mqttxx pub \(options) -t a \(line)")
                #expect(input.status == 64 && input.errors.contains("cannot read standard input"), "\(input.errors)")
            }
            #expect(broker.statistics.messagesReceived == 2)
        }
    }

    @Test("A full disk is an error that says so")
    func fullDisk() async throws {
        try await withBroker { broker in
            try await broker.retain("r", "x")
            let result = try await Tool.shell(
                "mqttxx sub \(broker.arguments.joined(separator: " ")) -t r -C 1 >/dev/full")
            #expect(result.status == 74)
            #expect(result.errors.hasPrefix("error: [OUTPUT_FAILED] "))
        }
    }
}
