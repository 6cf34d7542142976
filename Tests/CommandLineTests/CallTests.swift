import Foundation
import MQTTX
import MQTTXBroker
import Testing

@Suite("call, serve and ping", .timeLimit(.minutes(2)))
struct CallTests {
    /// Runs the body beside a service.
    private func withService(
        _ options: [String] = ["--echo"], _ body: (Broker) async throws -> Void
    ) async throws {
        try await withBroker { broker in
            let service = try RunningTool(["serve", "svc"] + options + broker.arguments)
            #expect(await service.nextLine() == "serving svc")
            try await body(broker)
        }
    }

    @Test("A call prints its result as JSON on one line")
    func results() async throws {
        try await withService { broker in
            for (params, result) in [
                (#"{"a": [1, "ü", null], "b": 2.5}"#, #"{"a":[1,"ü",null],"b":2.5}"#), ("-5", "-5"),
                (#""x\ny""#, #""x\ny""#),
                ("null", "null"), ("[]", "[]"),
            ] {
                let call = try await broker.run("call", "svc", "echo", params)
                #expect(call.status == 0 && call.output == result + "\n", "\(call)")
            }
            let nothing = try await broker.run("call", "svc", "echo")
            #expect(nothing.output == "null\n")
            let input = try await broker.run("call", "svc", "echo", "-", input: #"{"from": "stdin"}"#)
            #expect(input.output == "{\"from\":\"stdin\"}\n")
            let several = try await broker.run("call", "svc", "echo", "1", "--count", "3", "--reply-to", "my/inbox")
            #expect(several.output == "1\n1\n1\n")
        }
    }

    @Test("Every form and codec finds its answer; native needs MQTT 5.0")
    func forms() async throws {
        try await withService { broker in
            for form in ["dual", "envelope", "native"] {
                let call = try await broker.run("call", "svc", "echo", "1", "--form", form)
                #expect(call.output == "1\n", "\(form): \(call.errors)")
            }
            let old = try await broker.run("call", "svc", "echo", "1", "--form", "native", "-V", "3.1.1")
            #expect(old.status == 20 && old.errors.hasPrefix("error: [ENCODING_FAILED]"))
        }
        try await withService(["--echo", "--msgpack"]) { broker in
            for option in [["--msgpack"], ["--codec", "messagepack"]] {
                let call = try await Tool.run(["call", "svc", "echo", #"{"a":1}"#] + option + broker.arguments)
                #expect(call.output == "{\"a\":1}\n", "\(call.errors)")
            }
        }
    }

    @Test("What goes wrong has its exit code, and one line that says so")
    func failures() async throws {
        try await withService(["--echo", "--exec", "fail=echo one >&2; echo last >&2; exit 3"]) { broker in
            for (line, status, code) in [
                (["nope"], 31, "METHOD_NOT_FOUND"), (["fail"], 33, "RPC_EXECUTION_ERROR"),
                (["echo", "{bad"], 20, "INVALID_JSON"), (["echo", "1", "--timeout", "0"], 32, "RPC_TIMEOUT"),
                (["echo", "1", "--reply-to", "a/#"], 20, "INVALID_TOPIC"),
            ] as [([String], Int32, String)] {
                let call = try await Tool.run(["call", "svc"] + line + broker.arguments)
                #expect(call.status == status && call.output.isEmpty, "\(line): \(call)")
                #expect(call.errors.hasPrefix("error: [\(code)] ") && call.errors.filter(\.isNewline).count == 1)
            }
            let nobody = try await broker.run("call", "nobody", "echo", "--timeout", "0.2", "--count", "5")
            #expect(nobody.status == 32)
        }
    }

    @Test("--allow admits those callers alone, others get exit code 40")
    func allow() async throws {
        try await withService(["--echo", "--allow", "friend", "--allow", "other"]) { broker in
            for (id, status) in [("friend", 0), ("other", 0), ("stranger", 40)] as [(String, Int32)] {
                let call = try await broker.run("call", "svc", "echo", "1", "-i", id)
                #expect(call.status == status, "\(call)")
                if status == 40 { #expect(call.errors.hasPrefix("error: [PERMISSION_DENIED] ")) }
            }
        }
    }

    @Test(
        "A command serves a method: JSON in, JSON out, its end decides",
        arguments: [
            ("cat", 0, #"{"n":1}"#), ("true", 0, "null"), ("cat >/dev/null; echo '[1, 2]'", 0, "[1,2]"),
            ("exit 7", 33, "status 7"),
            ("kill -9 $$", 33, "signal 9"), ("nosuchcommand", 33, "not found"), ("echo oops", 33, "not JSON"),
            ("head -c 100 /dev/zero", 33, "not"), ("sleep 60", 33, "killed after"),
            ("sleep 60 & echo 1", 33, "killed after"),
            ("yes a | head -c 70000000", 33, "more than"), ("yes line >&2", 33, "killed after"),
            ("yes line | head -n 200000 >&2; echo last >&2; false", 33, "last"),
            ("printf '\"'; head -c 900000 /dev/zero | tr '\\0' a; printf '\"'", 0, #""aaaaaaaaaa"#),
        ] as [(String, Int32, String)])
    func commands(_ command: String, _ status: Int32, _ said: String) async throws {
        try await withService(["--exec", "m=" + command, "--exec-timeout", said == "killed after" ? "2" : "60"]) {
            broker in
            let call = try await broker.run("call", "svc", "m", #"{"n":1}"#)
            #expect(call.status == status, "\(call.errors)")
            #expect((status == 0 ? call.output : call.errors).contains(said), "\(call.errors)")
        }
    }

    @Test("Many commands at once get their own input and don't wait for each other")
    func manyCommands() async throws {
        try await withService(["--exec", "slow=sleep 60", "--exec", "quick=cat", "--exec-timeout", "50"]) { broker in
            try await broker.withClient { client in
                let rpc = RPCManager(client, config: RPCConfig(maxConcurrentCalls: 200))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<30 { group.addTask { _ = try? await rpc.call("svc", "slow", timeout: .seconds(60)) } }
                    try await withThrowingTaskGroup(of: Void.self) { quick in
                        for number in 0..<60 {
                            quick.addTask {
                                let result: Int = try await rpc.call(
                                    "svc", "quick", params: number, timeout: .seconds(40))
                                #expect(result == number)
                            }
                        }
                        try await quick.waitForAll()
                    }
                    group.cancelAll()
                }
            }
        }
    }

    @Test("Services in a group share the calls")
    func group() async throws {
        try await withBroker { broker in
            let services = try (1...2).map {
                try broker.start("serve", "svc", "--group", "g", "--exec", "who=echo \($0)")
            }
            for service in services { #expect(await service.nextLine() == "serving svc") }
            let calls = try await broker.run("call", "svc", "who", "--count", "10")
            #expect(Set(calls.lines) == ["1", "2"])
        }
    }

    @Test("A service comes back after its broker did")
    func reconnect() async throws {
        let first = try await Broker.start(BrokerConfig(listeners: [.tcp()]))
        let service = try first.start("serve", "svc", "--echo")
        #expect(await service.nextLine() == "serving svc")
        let port = first.port
        try await first.stop()
        try await withBroker(BrokerConfig(listeners: [.tcp(port: port)])) { broker in
            var status: Int32 = -1
            for _ in 0..<40 where status != 0 {
                status = try await broker.run("call", "svc", "echo", "--timeout", "1").status
            }
            #expect(status == 0)
        }
    }

    @Test("ping prints a line an answer and a summary; no answer is exit code 32")
    func ping() async throws {
        try await withService { broker in
            let ping = try await broker.run("ping", "svc", "-C", "3", "--interval", "0.01")
            #expect(ping.status == 0)
            #expect(ping.lines.count == 6)
            for line in ping.lines.prefix(3) {
                #expect(line.wholeMatch(of: /answer from svc: seq=[123] time=[0-9]+\.[0-9]{3} ms/) != nil, "\(line)")
            }
            #expect(ping.output.contains("3 sent, 3 received, 0% lost"))
            let nobody = try await broker.run("ping", "nobody", "-C", "1", "--timeout", "0.2")
            #expect(nobody.status == 32)
            #expect(nobody.errors.hasPrefix("error: [RPC_TIMEOUT] "))
        }
        try await withService(["--allow", "friend"]) { broker in
            // Refused, but there.
            let ping = try await broker.run("ping", "svc", "-C", "1")
            #expect(ping.status == 0)
        }
    }
}
