import Foundation
import MQTTX
import MQTTXBroker
import Testing

@Suite("bench", .timeLimit(.minutes(2)))
struct BenchTests {
    private static let common: Set<String> = [
        "bench", "messages", "seconds", "rate_per_s", "cpu_us_per_message", "peak_rss_mib",
    ]
    private static let latencies: Set<String> = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"]

    /// The result, which is the only line on standard output.
    private func result(_ run: Tool.Result, _ bench: String, _ extra: Set<String> = []) throws -> [String: Any] {
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.lines.count == 1)
        let result = try run.json()
        #expect(result["bench"] as? String == bench)
        #expect(Set(result.keys) == Self.common.union(extra))
        for key in Self.common where key != "bench" { #expect(result[key] as? Double ?? -1 >= 0, "\(key)") }
        return result
    }

    @Test(
        "pub publishes as many as it is told, of the size it is told",
        arguments: [
            ["-q", "0"], ["-q", "1", "--inflight", "8"], ["-q", "2", "--inflight", "1"], ["-q", "1", "--pipelined"],
            ["-q", "0", "--pipelined", "--numbered"], ["-q", "1", "--numbered"],
        ])
    func publish(_ options: [String]) async throws {
        try await withBroker { broker in
            try await broker.withClient { client in
                // At QoS 0 the broker may still be reading when the tool has ended.
                let (heard, continuation) = AsyncStream.makeStream(of: Int.self)
                try await client.subscribe("b") { continuation.yield($0.payload.readableBytes) }
                let run = try await Tool.run(
                    ["bench", "pub", "-t", "b", "-s", "64", "-C", "300"] + options + broker.arguments)
                #expect(try result(run, "pub")["messages"] as? Int == 300)
                var sizes = heard.makeAsyncIterator()
                for _ in 0..<300 { #expect(await sizes.next() == 64) }
            }
            #expect(broker.statistics.messagesReceived == 300)
        }
    }

    @Test("--rate holds the rate")
    func rate() async throws {
        try await withBroker { broker in
            let run = try await broker.run("bench", "pub", "-t", "b", "-C", "51", "--rate", "100")
            let seconds = try #require(try result(run, "pub")["seconds"] as? Double)
            #expect(seconds >= 0.5)
        }
    }

    @Test("recv takes what pub --numbered sends and finds nothing lost, duplicated or reordered")
    func receive() async throws {
        for options in [["--pipelined"], ["--inflight", "16"]] {
            try await withBroker { broker in
                let receiver = try broker.start("bench", "recv", "-t", "b", "-q", "1", "-C", "1000")
                try await broker.untilSubscribed(1)
                let sent = try await Tool.run(
                    ["bench", "pub", "-t", "b", "-q", "1", "-C", "1000", "--numbered"] + options + broker.arguments)
                #expect(sent.status == 0)
                let received = try result(await receiver.result(), "recv", ["lost", "duplicated", "reordered"])
                #expect(received["messages"] as? Int == 1_000)
                for key in ["lost", "duplicated", "reordered"] { #expect(received[key] as? Int == 0, "\(key)") }
            }
        }
    }

    @Test(
        "recv counts what is missing, what comes twice and what comes late",
        arguments: [
            ([0, 1, 2, 3], 0, 0, 0), ([0, 1, 3, 4], 1, 0, 0), ([1, 2], 1, 0, 0), ([0, 1, 1, 2], 0, 1, 0),
            ([0, 2, 1, 3], 0, 0, 1), ([0, 3, 1, 2], 0, 0, 2), ([0, 5, 1, 5, 0], 3, 2, 1), ([9], 9, 0, 0),
        ] as [([Int], Int, Int, Int)])
    func sequence(_ numbers: [Int], _ lost: Int, _ duplicated: Int, _ reordered: Int) async throws {
        try await withBroker { broker in
            let receiver = try broker.start("bench", "recv", "-t", "b", "-q", "1", "-C", "\(2 * numbers.count)")
            try await broker.untilSubscribed(1)
            // A second stream, in order, must not be mistaken for the first.
            let lines = numbers.enumerated().flatMap { [Self.payload(1, $1), Self.payload(2, $0)] }
            let sent = try await broker.run("pub", "-t", "b", "-q", "1", "-l", input: lines.joined(separator: "\n"))
            #expect(sent.status == 0)
            let received = try result(await receiver.result(), "recv", ["lost", "duplicated", "reordered"])
            #expect(received["lost"] as? Int == lost)
            #expect(received["duplicated"] as? Int == duplicated)
            #expect(received["reordered"] as? Int == reordered)
        }
    }

    private static func payload(_ stream: Int, _ number: Int) -> String {
        String(format: "#%07d:%010d ", stream, number)
    }

    @Test(
        "recv says nothing of sequences where there are no numbers; -W ends it with exit code 27 and the result so far")
    func unnumbered() async throws {
        try await withBroker { broker in
            try await broker.retain("b", "plain")
            _ = try result(try await broker.run("bench", "recv", "-t", "b", "-C", "1"), "recv")
            let short = try await broker.run("bench", "recv", "-t", "b", "-C", "2", "-W", "1")
            #expect(short.status == 27)
            #expect(try short.json()["messages"] as? Int == 1)
        }
    }

    @Test("rpc counts calls and errors and says how long they took")
    func calls() async throws {
        try await withBroker { broker in
            let service = try broker.start("serve", "svc", "--echo")
            #expect(await service.nextLine() == "serving svc")
            let run = try await broker.run(
                "bench", "rpc", "-t", "svc", "-C", "100", "--concurrency", "8", "--params", "[1]")
            let calls = try result(run, "rpc", Self.latencies.union(["errors"]))
            #expect(calls["messages"] as? Int == 100)
            #expect(calls["errors"] as? Int == 0)
            let times = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"].map { calls[$0] as? Int ?? -1 }
            #expect(times.sorted() == times && times[0] > 0)
            let missing = try await broker.run("bench", "rpc", "-t", "svc", "--method", "nope", "-C", "5")
            #expect(missing.status == 31)
        }
    }

    @Test("conn connects as often as it is told")
    func connections() async throws {
        try await withBroker { broker in
            let run = try await broker.run("bench", "conn", "-C", "25", "--concurrency", "5")
            #expect(try result(run, "conn", Self.latencies)["messages"] as? Int == 25)
            #expect(broker.statistics.connectionsAccepted == 25)
        }
    }
}

extension Broker {
    /// Waits until so many subscriptions are there: nothing tells it from outside, so it is asked again.
    func untilSubscribed(_ count: Int) async throws {
        while statistics.subscriptions < count { try await Task.sleep(for: .milliseconds(10)) }
    }
}
