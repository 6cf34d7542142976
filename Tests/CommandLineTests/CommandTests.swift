import Foundation
import Testing

@Suite("Commands against the embedded broker", .timeLimit(.minutes(2)), .serialized)
struct CommandTests {
    /// Runs the body with a broker of the command line's own.
    private func withBroker(_ options: [String] = [], _ body: (String) async throws -> Void) async throws {
        let broker = try RunningTool(["broker", "--port", "0"] + options)
        let line = try #require(await broker.nextLine())
        let port = try #require(line.split(separator: ":").last.map(String.init))
        #expect(line == "listening on 127.0.0.1:\(port)")
        try await body(port)
        broker.terminate()
        #expect(await broker.status() == 0)
    }

    @Test("What pub sends, sub prints, with topic, formats and JSON")
    func publishAndSubscribe() async throws {
        try await withBroker { port in
            // Retained, so that it does not matter who comes first.
            let pub = try await Tool.run(["pub", "-p", port, "-t", "a/b", "-m", "hällo", "-q", "1", "-r"])
            #expect(pub.status == 0, "\(pub.errors)")
            let plain = try await Tool.run(["sub", "-p", port, "-t", "a/#", "-C", "1", "-v"])
            #expect(plain.status == 0)
            #expect(plain.output == "a/b hällo\n")
            let format = try await Tool.run([
                "sub", "-p", port, "-t", "a/#", "-q", "1", "-C", "1", "-F", "%t|%p|%q|%r|%l",
            ])
            #expect(format.output == "a/b|hällo|1|1|6\n")
            let json = try await Tool.run(["sub", "-p", port, "-t", "a/#", "-C", "1", "-o", "json"])
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
            #expect(object["topic"] as? String == "a/b")
            #expect(object["payload"] as? String == "hällo")
            #expect(object["payloadlen"] as? Int == 6)
            #expect(try await Tool.run(["pub", "-p", port, "-t", "a/b", "-n", "-r"]).status == 0)
            let nothing = try await Tool.run(["sub", "-p", port, "-t", "a/#", "-W", "1"])
            #expect(nothing.status == 27)
            #expect(nothing.output.isEmpty)
        }
    }

    @Test("call, serve and ping, with their exit codes")
    func remoteCalls() async throws {
        try await withBroker { port in
            let service = try RunningTool([
                "serve", "svc", "-p", port, "--echo", "--exec", "fail=echo broken >&2; exit 3", "--exec", "cat=cat",
            ])
            #expect(await service.nextLine() == "serving svc")
            let echo = try await Tool.run(["call", "-p", port, "svc", "echo", #"{"a":[1,"ü"]}"#])
            #expect(echo.status == 0 && echo.output == "{\"a\":[1,\"ü\"]}\n", "\(echo)")
            let cat = try await Tool.run(["call", "-p", port, "svc", "cat", "[1,2]"])
            #expect(cat.status == 0 && cat.output == "[1,2]\n", "\(cat)")
            let missing = try await Tool.run(["call", "-p", port, "svc", "nope"])
            #expect(missing.status == 31)
            #expect(missing.errors.hasPrefix("error: [METHOD_NOT_FOUND]"))
            let failed = try await Tool.run(["call", "-p", port, "svc", "fail"])
            #expect(failed.status == 33)
            #expect(failed.errors.contains("broken"))
            let late = try await Tool.run(["call", "-p", port, "nobody", "echo", "1", "--timeout", "0.2"])
            #expect(late.status == 32)
            #expect(late.errors.hasPrefix("error: [RPC_TIMEOUT]"))
            #expect(try await Tool.run(["ping", "svc", "-p", port, "-C", "1"]).status == 0)
            service.interrupt()
            #expect(await service.status() == 130)
        }
    }

    @Test("serve --allow refuses all others with exit code 40")
    func allow() async throws {
        try await withBroker { port in
            let service = try RunningTool(["serve", "svc", "-p", port, "--echo", "--allow", "friend"])
            #expect(await service.nextLine() == "serving svc")
            #expect(try await Tool.run(["call", "-p", port, "-i", "friend", "svc", "echo", "1"]).status == 0)
            let refused = try await Tool.run(["call", "-p", port, "-i", "stranger", "svc", "echo", "1"])
            #expect(refused.status == 40)
            #expect(refused.errors.hasPrefix("error: [PERMISSION_DENIED]"))
            service.terminate()
            #expect(await service.status() == 143)
        }
    }

    @Test("emit reaches listen")
    func events() async throws {
        try await withBroker { port in
            let listener = try RunningTool(["listen", "sensors/#", "-p", port, "-C", "1"])
            // Until the listener has subscribed nobody hears: ask until it has.
            let emitting = Task {
                while !Task.isCancelled {
                    _ = try await Tool.run(["emit", "sensors/x", #"{"v":1}"#, "--type", "t", "-p", port])
                }
            }
            let line = try #require(await listener.nextLine())
            emitting.cancel()
            #expect(line.contains(#""topic":"sensors/x""#))
            #expect(line.contains(#""event_type":"t""#))
            #expect(await listener.status() == 0)
        }
    }

    @Test("Usage, refused connections and passwords have their exit codes")
    func exitCodes() async throws {
        #expect(try await Tool.run(["pub"]).status == 64)
        #expect(try await Tool.run(["nonsense"]).status == 64)
        #expect(try await Tool.run(["--help"]).status == 0)
        let refused = try await Tool.run(["pub", "-p", "1", "-t", "a", "-m", "x"])
        #expect(refused.status == 10)
        #expect(refused.errors.hasPrefix("error: [CONNECTION_FAILED]"))
        try await withBroker { port in
            let wildcard = try await Tool.run(["pub", "-p", port, "-t", "a/#", "-m", "x"])
            #expect(wildcard.status == 20)
        }
        try await withBroker(["--no-anonymous"]) { port in
            let anonymous = try await Tool.run(["pub", "-p", port, "-t", "a", "-m", "x"])
            #expect(anonymous.status == 40, "\(anonymous.errors)")
        }
    }

    @Test("bench prints one JSON object, and loses nothing")
    func bench() async throws {
        try await withBroker { port in
            let pub = try await Tool.run(["bench", "pub", "-p", port, "-t", "b", "-q", "1", "-s", "64", "-C", "200"])
            #expect(pub.status == 0, "\(pub.errors)")
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(pub.output.utf8)) as? [String: Any])
            #expect(object["bench"] as? String == "pub")
            #expect(object["messages"] as? Int == 200)
        }
    }
}
