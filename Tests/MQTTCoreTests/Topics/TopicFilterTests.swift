import MQTTCore
import Testing

@Suite("Topic names and filters (section 4.7)", .timeLimit(.minutes(2)))
struct TopicFilterTests {
    @Test(
        """
        A filter matches what the specification says it does [MQTT-3.3.2-3, MQTT-4.7.2-1, MQTT311-3.3.2-3, \
        MQTT311-4.7.2-1]
        """,
        arguments: [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true), ("sport/#", "sports", false), ("#", "sport", true), ("#", "/", true),
            ("sport/tennis/+", "sport/tennis/player1", true), ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false), ("sport/+", "sport/", true), ("+/+", "/finance", true),
            ("/+", "/finance", true), ("+", "/finance", false), ("+", "finance", true),
            ("+/tennis/#", "sport/tennis", true), ("sport/+/player1", "sport/tennis/player1", true),
            ("#", "$SYS/x", false), ("+/monitor/Clients", "$SYS/monitor/Clients", false), ("$SYS/#", "$SYS/x", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true), ("ACCOUNTS", "Accounts", false), ("a", "a/", false),
            ("a/", "a", false), ("/a", "a", false), ("a//b", "a//b", true), ("a/+/b", "a//b", true),
            ("a/b", "a/bc", false),
            ("a/bc", "a/b", false), ("+/#", "a", true), ("a/#", "a/$b", true), ("/#", "/", true), ("/#", "a", false),
            ("$share/group/a/+", "a/b", true), ("$share/group/a/+", "$share/group/a/b", false),
            ("$share/group//finance", "/finance", true), ("$share/g/#", "$SYS/x", false), ("中/+", "中/文", true),
        ])
    func matches(filter: String, topic: String, expected: Bool) throws {
        #expect(try TopicFilter(filter).matches(topic) == expected)
        var trie = TopicTrie()
        let id = trie.insert(try TopicFilter(filter).filter)
        var ids: [Int] = []
        trie.match(topic, into: &ids)
        #expect(ids == (expected ? [id] : []))
    }

    @Test(
        """
        A misplaced wildcard or a bad share is refused, and the message says why [MQTT-4.7.1-1, -2, \
        MQTT-4.8.2-1, -2, MQTT311-4.7.1-2, -3]
        """,
        arguments: [
            ("", "empty"), ("sport/tennis#", "#"), ("sport/tennis/#/ranking", "last"), ("sport+", "+"), ("a/+b", "+"),
            ("##", "#"), ("a/#b", "#"), ("$share//a", "group"), ("$share/g", "no topic filter"),
            ("$share/g/", "no topic filter"), ("$share/g+/a", "wildcard"), ("$share/#/a", "wildcard"),
        ])
    func refused(filter: String, word: String) {
        let error = #expect(throws: MQTTXError.self) { try TopicFilter(filter) }
        #expect(error?.code == .invalidTopic)
        #expect(error?.reasonCode == .topicFilterInvalid)
        #expect(error?.message.contains(word) == true)
    }

    @Test("A filter knows its parts")
    func parts() throws {
        let shared = try TopicFilter("$share/consumer1/sport/+")
        #expect(shared.shareName == "consumer1")
        #expect(shared.filter == "sport/+")
        #expect(shared.hasWildcards)
        #expect(shared.description == "$share/consumer1/sport/+")
        let plain = try TopicFilter("sport")
        #expect(plain.shareName == nil)
        #expect(!plain.hasWildcards)
    }

    @Test("Filters that look the same are two where their bytes differ (MQTT-4.7.3-4)")
    func bytes() throws {
        let (composed, decomposed) = (try TopicFilter("caf\u{E9}/#"), try TopicFilter("cafe\u{301}/#"))
        #expect(composed != decomposed && Set([composed, decomposed]).count == 2)
        #expect(composed == (try TopicFilter("caf\u{E9}/#")))
        #expect(!composed.matches("cafe\u{301}/a"))
    }

    @Test(
        """
        Names and filters have at most 65,535 bytes (MQTT-4.7.3-3), and no U+0000 [MQTT-4.7.0-1, \
        MQTT-4.7.3-1, -2, -3, MQTT311-4.7.1-1, MQTT311-4.7.3-1, -2, -3]
        """
    )
    func limits() throws {
        let longest = String(repeating: "a", count: 65_535)
        try TopicName.validate(longest)
        _ = try TopicFilter(longest)
        #expect(throws: MQTTXError.self) { try TopicName.validate(longest + "a") }
        #expect(throws: MQTTXError.self) { try TopicFilter(longest + "a") }
        #expect(throws: MQTTXError.self) { try TopicName.validate("a\0") }
        #expect(throws: MQTTXError.self) { try TopicFilter("a\0") }
        #expect(throws: MQTTXError.self) { try TopicName.validate("") }
        #expect(throws: MQTTXError.self) { try TopicName.validate("a/+") }
        try TopicName.validate("/")
        try TopicName.validate("Accounts payable")
    }
}
