import MQTTCore
import NIOCore
import Testing

@Suite("Topic aliases (section 3.3.2.3.4)", .timeLimit(.minutes(2)))
struct TopicAliasTests {
    private func resolve(
        _ aliases: inout IncomingTopicAliases, _ topic: String, _ alias: UInt16?
    ) throws(MQTTXError) -> Publish {
        var publish = Publish(topic: topic, payload: ByteBuffer(), properties: .with { $0.topicAlias = alias })
        try aliases.resolve(&publish)
        return publish
    }

    @Test(
        """
        Every alias from 1 to the maximum announced is taken, stands for its topic, and may be set anew \
        [MQTT-3.3.2-10, -12]
        """
    )
    func incoming() throws {
        var aliases = IncomingTopicAliases(maximum: 3)
        for alias: UInt16 in [3, 1, 2] {
            #expect(try resolve(&aliases, "topic \(alias)", alias).topic == "topic \(alias)")
        }
        for alias: UInt16 in 1...3 {
            var publish = try resolve(&aliases, "", alias)
            #expect(publish.topic == "topic \(alias)")
            // It means something on this connection alone.
            publish.properties.removeTopicAlias()
            #expect(publish.properties.topicAlias == nil && publish.properties == Properties())
        }
        _ = try resolve(&aliases, "other", 2)
        #expect(try resolve(&aliases, "", 2).topic == "other")
        #expect(try resolve(&aliases, "plain", nil).topic == "plain")
    }

    @Test(
        "An alias that is 0, too large or never set is a violation",
        arguments: [
            ("a", 0, ReasonCode.topicAliasInvalid), ("a", 4, .topicAliasInvalid), ("", 4, .topicAliasInvalid),
            ("a", 65_535, .topicAliasInvalid), ("", 1, .protocolError), ("", 3, .protocolError),
            ("", nil, .protocolError),
        ] as [(String, UInt16?, ReasonCode)])
    func violation(topic: String, alias: UInt16?, reason: ReasonCode) throws {
        var aliases = IncomingTopicAliases(maximum: 3)
        _ = try resolve(&aliases, "two", 2)
        let error = #expect(throws: MQTTXError.self) { try resolve(&aliases, topic, alias) }
        #expect(error?.reasonCode == reason)
    }

    @Test("Whoever announced no aliases takes none")
    func none() throws {
        var aliases = IncomingTopicAliases(maximum: 0)
        #expect(throws: MQTTXError.self) { try resolve(&aliases, "a", 1) }
        #expect(try resolve(&aliases, "a", nil).topic == "a")
    }

    @Test(
        """
        Topics get aliases in the order of their first use, up to the peer's maximum; the others go out in \
        full [MQTT-3.1.2-26, MQTT-3.2.2-17, MQTT-3.3.2-8]
        """
    )
    func outgoing() {
        var aliases = OutgoingTopicAliases(maximum: 2)
        let sent = ["a", "b", "c", "a", "b", "c"].map { topic in
            let (alias, sendTopic) = aliases.alias(for: topic)
            return "\(sendTopic ? topic : "")\(alias.map { ":\($0)" } ?? "")"
        }
        #expect(sent == ["a:1", "b:2", "c", ":1", ":2", "c"])
    }

    @Test("A peer that announced none is sent none [MQTT-3.1.2-27, MQTT-3.2.2-18]")
    func outgoingNone() {
        var aliases = OutgoingTopicAliases(maximum: 0)
        for _ in 0..<2 { #expect(aliases.alias(for: "a") == (nil, true)) }
    }

    @Test("Topics that look alike but differ in bytes don't share an alias")
    func alike() {
        var aliases = OutgoingTopicAliases(maximum: 5)
        #expect(aliases.alias(for: "caf\u{E9}") == (1, true))
        #expect(aliases.alias(for: "cafe\u{301}") == (2, true))
        #expect(aliases.alias(for: "caf\u{E9}") == (1, false))
        #expect(aliases.alias(for: "cafe\u{301}") == (2, false))
    }

    @Test("An alias whose packet was not sent is given anew")
    func forget() {
        var aliases = OutgoingTopicAliases(maximum: 2)
        _ = aliases.alias(for: "a")
        _ = aliases.alias(for: "b")
        aliases.forget("a")
        #expect(aliases.alias(for: "a") == (1, false), "only the newest can be taken back")
        #expect(aliases.alias(for: "b") == (2, false))
        aliases.forget("b")
        #expect(aliases.alias(for: "c") == (2, true))
        #expect(aliases.alias(for: "b") == (nil, true))
    }

    @Test("Long topics get aliases up to a mebibyte, whatever Topic Alias Maximum the peer names")
    func bounded() {
        var aliases = OutgoingTopicAliases(maximum: 65_535)
        let pad = String(repeating: "x", count: 60_000)
        var given = 0
        for index in 0..<200 where aliases.alias(for: "\(index)" + pad).alias != nil { given += 1 }
        #expect((10..<20).contains(given))
        #expect(aliases.alias(for: "0" + pad) == (1, false))
        // What was not sent makes room again.
        aliases.forget("\(given - 1)" + pad)
        #expect(aliases.alias(for: "another" + pad).alias == UInt16(given))
    }
}
