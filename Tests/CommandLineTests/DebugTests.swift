import Foundation
import MQTTXBroker
import Testing

@Suite("--debug", .timeLimit(.minutes(2)))
struct DebugTests {
    /// Lines of standard error without identifiers that differ from run to run.
    private func lines(_ errors: String) -> [String] {
        errors.split(separator: "\n").map { String($0) }.map {
            $0.replacing(/\ client=[^ ]+/, with: "").replacing(/"mqttx-[a-z0-9]+"/, with: "ID")
                .replacing(/\ (broker|peer)=127\.0\.0\.1:[0-9]+/) { " \($0.output.1)" }
        }
    }

    @Test("pub says each packet, and neither password nor payload")
    func publisher() async throws {
        try await withBroker { broker in
            let line = [
                "pub", "-d", "-t", "a/b", "-m", "payload", "-q", "2", "-V", "311", "-u", "user", "-P", "secret",
            ]
            let result = try await Tool.run(line + broker.arguments)
            #expect(result.status == 0 && result.output.isEmpty)
            #expect(
                lines(result.errors) == [
                    "debug: connecting broker",
                    "debug: sent CONNECT (MQTT 3.1.1, ID, clean start, keep alive 60 s, user name, password)",
                    "debug: received CONNACK (success (0x00))",
                    #"debug: sent PUBLISH (d0, q2, r0, m1, "a/b", 7 bytes)"#,
                    "debug: received PUBREC (m1)", "debug: sent PUBREL (m1)", "debug: received PUBCOMP (m1)",
                    "debug: sent DISCONNECT (success (0x00))",
                ])
            #expect(!result.errors.contains("secret") && !result.errors.contains("payload"))
        }
    }

    @Test("sub says what it subscribes to, what it is granted and what comes")
    func subscriber() async throws {
        try await withBroker { broker in
            try await broker.retain("a/b", "payload")
            let result = try await broker.run("sub", "--debug", "-t", "a/#", "-q", "1", "-C", "1")
            #expect(result.status == 0 && result.output == "payload\n")
            let said = lines(result.errors)
            for line in [
                #"debug: sent SUBSCRIBE (m1, "a/#" q1)"#, "debug: received SUBACK (m1, q1)",
                #"debug: received PUBLISH (d0, q1, r1, m1, "a/b", 7 bytes)"#, "debug: sent PUBACK (m1)",
            ] { #expect(said.contains(line), "\(said)") }
            #expect(!result.errors.contains("payload"))
        }
    }

    @Test("What a topic holds can't pretend to be another line, nor move the cursor")
    func hostileTopic() async throws {
        try await withBroker { broker in
            let topic = "a\ndebug: sent\u{1B}[2J"
            let result = try await broker.run("pub", "-d", "-t", topic, "-m", "x", "-i", "id\ndebug: x")
            #expect(result.status == 0)
            #expect(result.errors.split(separator: "\n").count == 5, "\(result.errors)")
            #expect(!result.errors.contains("\u{1B}"))
        }
    }

    @Test("broker says who comes and goes and why, and what is refused")
    func broker() async throws {
        try await withTemporaryDirectory { directory in
            let rules = try directory.write("rules", "topic read #\n")
            let broker = try RunningTool(["broker", "--port", "0", "--debug", "--acl-file", rules, "--max-qos", "1"])
            let listening = try #require(await broker.nextLine())
            let port = try #require(listening.split(separator: ":").last.map(String.init))
            let common = ["-p", port, "-i", "me"]
            _ = try await Tool.run(["pub", "-t", "a", "-m", "x", "-V", "311"] + common)
            _ = try await Tool.run(["pub", "-t", "a", "-m", "x", "-q", "2", "-V", "311"] + common)
            _ = try await Tool.run(["sub", "-t", "a", "-E"] + common)
            broker.terminate()
            let result = await broker.result()
            #expect(result.status == 0)
            let said = result.errors.split(separator: "\n").map { String($0) }.map {
                $0.replacing(/peer=127\.0\.0\.1:[0-9]+/, with: "peer")
            }
            for line in [
                #"debug: received CONNECT (MQTT 3.1.1, "me", clean start, keep alive 60 s) peer"#,
                "debug: sent CONNACK (success (0x00)) client=me peer",
                #"debug: received PUBLISH (d0, q0, r0, m0, "a", 1 bytes) client=me peer"#,
                #"debug: message refused client=me peer reason="a" is not allowed"#,
                "debug: received DISCONNECT (success (0x00)) client=me peer",
                "debug: connection closed client=me peer reason=the client disconnected",
                "debug: connection closed client=me peer reason=QoS above the maximum",
                #"debug: received SUBSCRIBE (m1, "a" q0) client=me peer"#,
                "debug: sent SUBACK (m1, q0) client=me peer",
            ] { #expect(said.contains(line), "\(line)\n\(result.errors)") }
        }
    }
}
