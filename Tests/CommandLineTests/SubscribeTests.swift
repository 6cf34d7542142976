import Foundation
import MQTTX
import MQTTXBroker
import Testing

@Suite("pub and sub", .timeLimit(.minutes(2)))
struct SubscribeTests {
    @Test("-o json prints one object a line, for any payload")
    func json() async throws {
        let payloads: [String: [UInt8]] = [
            "text": Array("hällo \"x\" \\ / \u{1}\u{1F}\u{7F}\n\r\t\u{0}€😀".utf8), "binary": [0, 255, 254, 10, 13],
            "cut": Array("ü".utf8.prefix(1)), "object": Array(#"{"a":1}"#.utf8),
            "large": [UInt8](repeating: 0x61, count: 300_000),
        ]
        try await withBroker { broker in
            try await broker.retain(payloads.map { ("j/" + $0.key, $0.value) })
            let read = try await broker.run("sub", "-t", "j/#", "-q", "1", "-C", "5", "-o", "json")
            #expect(read.status == 0 && read.lines.count == 5)
            for line in read.lines {
                let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                let name = try #require((object["topic"] as? String)?.split(separator: "/").last.map(String.init))
                let payload = try #require(payloads[name])
                #expect(object["payloadlen"] as? Int == payload.count)
                #expect(object["qos"] as? Int == 1)
                #expect(object["retain"] as? Int == 1)
                #expect(object["tst"] is String)
                #expect(object["properties"] == nil)
                let text = try #require(object["payload"] as? String)
                if object["payload-encoding"] as? String == "base64" {
                    #expect(Data(base64Encoded: text).map { Array($0) } == payload)
                } else {
                    #expect(Array(text.utf8) == payload)
                }
            }
        }
    }

    @Test("-o json has all properties, and the empty payload as a string")
    func properties() async throws {
        try await withBroker { broker in
            let published = try await broker.run(
                "pub", "-t", "p", "-r", "-q", "2", "-m", "x", "--content-type", "a/b", "--response-topic", "r",
                "--correlation-data", "c", "--message-expiry-interval", "1000000", "--payload-format-indicator",
                "--user-property", "n:v:w", "--user-properties", "n: u")
            #expect(published.status == 0, "\(published.errors)")
            let object = try await broker.run("sub", "-t", "p", "-C", "1", "-o", "json").json()
            let properties = try #require(object["properties"] as? [String: Any])
            #expect(properties["content-type"] as? String == "a/b")
            #expect(properties["response-topic"] as? String == "r")
            #expect(properties["correlation-data"] as? String == "c")
            #expect(properties["message-expiry-interval"] as? Int ?? 0 > 999_000)
            #expect(properties["payload-format-indicator"] as? Int == 1)
            #expect(properties["user-properties"] as? [[String: String]] == [["n": "v:w"], ["n": "u"]])
            try await broker.queue([("q", "")], for: "s", filter: "q")
            let empty = try await broker.run("sub", "-t", "q", "-c", "-i", "s", "-q", "1", "-C", "1", "-o", "json")
                .json()
            #expect(empty["payload"] as? String == "")
            #expect(empty["payloadlen"] as? Int == 0)
        }
    }

    @Test("Payloads come out byte for byte", arguments: [["-N"], ["-F", "%p", "-N"]])
    func bytes(_ options: [String]) async throws {
        let payload = (0...255).map { UInt8($0) }
        try await withBroker { broker in
            try await broker.retain([("b", payload)])
            let read = try await Tool.run(["sub", "-t", "b", "-C", "1"] + options + broker.arguments)
            #expect(read.bytes == payload)
        }
    }

    @Test("What is too large is PAYLOAD_TOO_LARGE or PACKET_TOO_LARGE before anything is sent, with exit code 20")
    func tooLarge() async throws {
        try await withTemporaryDirectory { directory in
            let path = try directory.write("large", "")
            truncate(path, 300_000_000)
            try await withBroker { broker in
                let huge = try await broker.run("pub", "-t", "a", "-f", path)
                #expect(huge.status == 20)
                #expect(huge.errors.hasPrefix("error: [PAYLOAD_TOO_LARGE] "))
                truncate(path, 3_000_000)
                let large = try await broker.run("pub", "-t", "a", "-f", path, "-q", "1")
                #expect(large.status == 20)
                #expect(large.errors.hasPrefix("error: [PACKET_TOO_LARGE] "))
                #expect(broker.statistics.messagesReceived == 0)
            }
        }
    }

    @Test("Ten thousand lines arrive, each once and in order")
    func lines() async throws {
        try await withBroker { broker in
            let sub = try broker.start("sub", "-t", "l", "-q", "1", "-C", "10000")
            try await broker.untilSubscribed(1)
            let lines = (0..<10_000).map { "line \($0)" }.joined(separator: "\n") + "\n"
            let pub = try await broker.run("pub", "-t", "l", "-q", "1", "-l", input: lines)
            #expect(pub.status == 0)
            let result = await sub.result()
            #expect(result.status == 0 && result.output == lines)
        }
    }

    @Test("sub comes back after its broker did")
    func reconnect() async throws {
        let first = try await Broker.start(BrokerConfig(listeners: [.tcp()]))
        let sub = try first.start("sub", "-t", "a", "-C", "1")
        try await first.untilSubscribed(1)
        let port = first.port
        try await first.stop()
        try await withBroker(BrokerConfig(listeners: [.tcp(port: port)])) { broker in
            try await broker.untilSubscribed(1)
            try await broker.withClient { try await $0.publish("a", "again", qos: .atLeastOnce) }
            let result = await sub.result()
            #expect(result.status == 0 && result.output == "again\n")
        }
    }

    @Test("A subscription that is refused ends sub, with exit code 10 or 40")
    func refused() async throws {
        var config = BrokerConfig(listeners: [.tcp()])
        config.deniedFilters = ["denied"]
        config.authorizer = SubscribesToNothing()
        try await withBroker(config) { broker in
            for (filter, version, status) in [
                ("forbidden", "5", 40), ("forbidden", "3.1.1", 10), ("denied", "5", 10), ("denied", "3.1.1", 10),
            ] {
                let sub = try await broker.run("sub", "-t", filter, "-V", version)
                #expect(Int(sub.status) == status, "\(filter), \(version): \(sub.errors)")
                #expect(sub.errors.hasPrefix("error: ") && sub.errors.filter(\.isNewline).count == 1)
            }
        }
    }

    private struct SubscribesToNothing: Authorizer {
        func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool { true }
        func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool { false }
    }
}
