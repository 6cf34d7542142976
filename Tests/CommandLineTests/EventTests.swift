import Foundation
import MQTTX
import MQTTXBroker
import Testing

@Suite("emit and listen", .timeLimit(.minutes(2)))
struct EventTests {
    @Test("What emit sends, listen prints as one JSON object a line")
    func events() async throws {
        try await withBroker { broker in
            // Retained, so that it does not matter who comes first.
            for (topic, line) in [
                ("e/1", [#"{"v":1}"#, "--type", "t", "--source", "s"]), ("e/2", ["-5"]),
                ("e/3", [#"{"v":"ü\n"}"#, "--raw"]),
                ("e/4", ["[1,2]", "--form", "native"]), ("e/5", ["\"x\"", "--raw"]),
            ] {
                let emitted = try await Tool.run(["emit", topic] + line + ["-r"] + broker.arguments)
                #expect(emitted.status == 0 && emitted.output.isEmpty && emitted.errors.isEmpty, "\(emitted)")
            }
            let listened = try await broker.run("listen", "e/#", "-C", "5")
            #expect(listened.status == 0)
            var messages: [String: [String: Any]] = [:]
            for line in listened.lines {
                let object = try #require(
                    try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                #expect(Set(object.keys) == ["topic", "message"])
                let topic = try #require(object["topic"] as? String)
                messages[topic] = object["message"] as? [String: Any] ?? ["itself": object["message"] ?? ""]
            }
            #expect(messages["e/1"]?["event_type"] as? String == "t")
            #expect(messages["e/1"]?["source"] as? String == "s")
            #expect((messages["e/1"]?["data"] as? [String: Int]) == ["v": 1])
            #expect(messages["e/2"]?["data"] as? Int == -5)
            #expect(messages["e/3"]?["v"] as? String == "ü\n")
            #expect(messages.count == 5)
        }
    }

    @Test("--raw publishes DATA as it is; - reads it from standard input")
    func raw() async throws {
        try await withBroker { broker in
            for (line, payload) in [([#"{"b":1,"a":[2.5]}"#], #"{"b":1,"a":[2.5]}"#), (["-"], "[true]")] {
                let emitted = try await Tool.run(
                    ["emit", "raw", "--raw", "-r"] + line + broker.arguments, input: Array("[true]".utf8))
                #expect(emitted.status == 0, "\(emitted.errors)")
                let read = try await broker.run("sub", "-t", "raw", "-C", "1")
                #expect(read.output == payload + "\n")
            }
        }
    }

    @Test("listen ends after -W seconds with exit code 27, having printed what came")
    func window() async throws {
        try await withBroker { broker in
            try await broker.retain("e/1", #"{"type":"event","event_type":"t","data":1}"#)
            try await broker.retain("e/2", "not JSON")
            let listened = try await broker.run("listen", "e/#", "-W", "1", "-C", "5")
            #expect(listened.status == 27)
            #expect(listened.lines.count == 1)
        }
    }
}
