import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("What the broker receives, by clause (sections 2.2.1, 3.3, 4.3)", .timeLimit(.minutes(2)))
struct ReceptionClauseTests {
    @Test(
        """
        A PUBLISH is answered as its QoS asks, with its identifier: nothing, PUBACK, PUBREC and PUBCOMP \
        [MQTT-2.2.1-5, MQTT-3.3.4-1, MQTT-4.3.2-4, MQTT-4.3.3-8, -11, MQTT311-2.3.1-6, MQTT311-3.3.4-1]
        """,
        arguments: ProtocolVersion.allCases)
    func answers(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker, version: version)
            try await watcher.subscribe("t")
            let client = try await RawClient.connect(broker, version: version)
            try await client.put("t", "0", qos: .atMostOnce)
            #expect(try await client.drain().isEmpty)
            try await client.put("t", "1", qos: .atLeastOnce, packetID: 0x1234)
            #expect(try await client.receive() == .puback(Acknowledgement(packetID: 0x1234)))
            try await client.put("t", "2", qos: .exactlyOnce, packetID: 0xFFFF)
            #expect(try await client.receive() == .pubrec(Acknowledgement(packetID: 0xFFFF)))
            try await client.send(.pubrel(Acknowledgement(packetID: 0xFFFF)))
            #expect(try await client.receive() == .pubcomp(Acknowledgement(packetID: 0xFFFF)))
            #expect(try await watcher.texts(3) == ["0", "1", "2"])
        }
    }

    @Test(
        """
        An identifier stands for a new message after PUBACK and after PUBCOMP, whatever DUP says \
        [MQTT-4.3.2-5, MQTT-4.3.3-12, MQTT311-4.3.2-2, MQTT311-4.3.3-2]
        """,
        arguments: ProtocolVersion.allCases)
    func newMessages(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker, version: version)
            try await watcher.subscribe("t", .init(qos: .atMostOnce))
            let client = try await RawClient.connect(broker, version: version)
            for text in ["a", "b"] {
                try await client.put("t", text, qos: .atLeastOnce, packetID: 7, dup: text == "b")
                #expect(try await client.receive() == .puback(Acknowledgement(packetID: 7)))
            }
            for text in ["c", "d"] {
                try await client.put("t", text, qos: .exactlyOnce, packetID: 7, dup: text == "d")
                #expect(try await client.receive() == .pubrec(Acknowledgement(packetID: 7)))
                try await client.send(.pubrel(Acknowledgement(packetID: 7)))
                #expect(try await client.receive() == .pubcomp(Acknowledgement(packetID: 7)))
            }
            #expect(try await watcher.texts(4) == ["a", "b", "c", "d"])
        }
    }

    @Test(
        """
        Until PUBREL the same identifier of QoS 2 is the same message: PUBREC again, no second copy \
        [MQTT-4.3.3-10, MQTT311-4.3.3-2]
        """,
        arguments: ProtocolVersion.allCases)
    func duplicates(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker, version: version)
            try await watcher.subscribe("t", .init(qos: .atMostOnce))
            let client = try await RawClient.connect(broker, version: version)
            for _ in 0..<3 {
                try await client.put("t", "once", qos: .exactlyOnce, packetID: 7, dup: true)
                #expect(try await client.receive() == .pubrec(Acknowledgement(packetID: 7)))
            }
            try await client.send(.pubrel(Acknowledgement(packetID: 7)))
            #expect(try await client.receive() == .pubcomp(Acknowledgement(packetID: 7)))
            #expect(try await watcher.texts(1) == ["once"])
        }
    }

    @Test("After a PUBREC that refuses, the identifier stands for a new message at once [MQTT-4.3.3-9]")
    func newAfterRefusal() async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("t", .init(qos: .atMostOnce))
            let client = try await RawClient.connect(broker)
            try await client.put("$SYS/x", qos: .exactlyOnce, packetID: 7)
            #expect(
                try await client.receive() == .pubrec(Acknowledgement(packetID: 7, reasonCode: .notAuthorized)))
            try await client.put("t", "new", qos: .exactlyOnce, packetID: 7)
            #expect(try await client.receive() == .pubrec(Acknowledgement(packetID: 7)))
            #expect(try await watcher.texts(1) == ["new"])
        }
    }

    @Test(
        """
        A message of QoS 2 that expires before anyone gets it is acknowledged to its end all the same \
        [MQTT-4.3.3-13]
        """
    )
    func expired() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            try await RawClient.resume(broker, "away").subscribe("t")
            try await RawClient.resume(broker, "away").disconnect()
            var publish = Publish(topic: "t", payload: ByteBuffer(), qos: .exactlyOnce, packetID: 7)
            publish.properties.messageExpiryInterval = 0
            try await client.send(.publish(publish))
            #expect(try await client.receive() == .pubrec(Acknowledgement(packetID: 7)))
            try await client.send(.pubrel(Acknowledgement(packetID: 7)))
            #expect(try await client.receive() == .pubcomp(Acknowledgement(packetID: 7)))
            #expect(try await RawClient.resume(broker, "away").drain().isEmpty)
        }
    }

    @Test("Every alias up to the maximum announced is taken [MQTT-3.3.2-12]")
    func aliases() async throws {
        try await withBroker({ $0.topicAliasMaximum = 12 }) { broker in
            let client = try await RawClient.connect(broker)
            try await client.subscribe("a/#", .init(qos: .atMostOnce))
            for alias in 1...12 as ClosedRange<UInt16> {
                try await client.publish("a/\(alias)", "set") { $0.topicAlias = alias }
            }
            for alias in (1...12 as ClosedRange<UInt16>).reversed() {
                try await client.send(
                    .publish(
                        Publish(
                            topic: "", payload: ByteBuffer(string: "used"), properties: .with { $0.topicAlias = alias })
                    ))
            }
            var topics: [String] = []
            for _ in 0..<24 { topics.append(try await client.message().topic) }
            #expect(topics == (1...12).map { "a/\($0)" } + (1...12).reversed().map { "a/\($0)" })
            try await client.publish("a/13") { $0.topicAlias = 13 }
            #expect(try await client.closed() == .topicAliasInvalid)
        }
    }

    @Test(
        "A message without RETAIN leaves what is retained alone [MQTT-3.3.1-8, MQTT311-3.3.1-12]",
        arguments: ProtocolVersion.allCases)
    func notRetained(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, version: version)
            try await client.publish("r", "kept", qos: .atLeastOnce, retain: true)
            try await client.publish("r", "passing", qos: .atLeastOnce)
            try await client.publish("r", "", qos: .atLeastOnce)
            try await client.publish("never", "passing", qos: .atLeastOnce)
            let late = try await RawClient.connect(broker, version: version)
            try await late.subscribe("#")
            #expect(try await late.texts(1) == ["kept"])
        }
    }

    @Test(
        """
        Retained messages in 3.1.1: with RETAIN to new subscriptions, without to those there are; empty \
        removes [MQTT311-3.1.2-7, MQTT311-3.3.1-5, -6, -7, -8, -9, -10, -11]
        """
    )
    func retainedOld() async throws {
        try await withBroker { broker in
            let there = try await RawClient.connect(broker, version: .v3_1_1)
            try await there.subscribe("r/#")
            let client = try await RawClient.connect(broker, "short-lived", version: .v3_1_1)
            try await client.publish("r/1", "one", qos: .atLeastOnce, retain: true)
            try await client.publish("r/1", "zero", qos: .atMostOnce, retain: true)
            try await client.publish("r/2", "two", qos: .exactlyOnce, retain: true)
            // They outlive the session that published them.
            try await client.disconnect()
            let new = try await RawClient.connect(broker, version: .v3_1_1)
            try await new.subscribe("r/+")
            let found = [try await new.message(), try await new.message()].sorted { $0.topic < $1.topic }
            #expect(found.map(\.text) == ["zero", "two"])
            #expect(found.map(\.qos) == [.atMostOnce, .exactlyOnce])
            #expect(found.allSatisfy { $0.retain && !$0.dup })
            for text in ["one", "zero", "two"] {
                let message = try await there.message()
                #expect(message.text == text && !message.retain)
            }
            try await new.publish("r/2", "", qos: .atMostOnce, retain: true)
            let empty = try await there.message()
            #expect(empty.text.isEmpty && !empty.retain)
            let last = try await RawClient.connect(broker, version: .v3_1_1)
            try await last.subscribe("r/#")
            #expect(try await last.texts(1) == ["zero"])
        }
    }

    @Test(
        """
        Messages go to those filters alone that match, byte for byte [MQTT-3.3.2-3, MQTT-4.7.3-4, \
        MQTT311-3.3.2-3, MQTT311-4.7.2-1, MQTT311-4.7.3-4]
        """, arguments: ProtocolVersion.allCases)
    func matching(version: ProtocolVersion) async throws {
        let topics = [
            "a", "a/b", "a/b/c", "/a", "a/", "a//b", "A", "$a/b", "caf\u{E9}", "cafe\u{301}", "\u{FEFF}a", "a b",
        ]
        let expected: [(String, [String])] = [
            ("a", ["a"]), ("#", topics.filter { $0 != "$a/b" }),
            ("+", ["a", "A", "caf\u{E9}", "cafe\u{301}", "\u{FEFF}a", "a b"]),
            ("a/#", ["a", "a/b", "a/b/c", "a/", "a//b"]), ("a/+", ["a/b", "a/"]), ("+/+", ["a/b", "/a", "a/"]),
            ("$a/+", ["$a/b"]), ("+/b", ["a/b"]), ("a/+/b", ["a//b"]), ("/+", ["/a"]), ("caf\u{E9}", ["caf\u{E9}"]),
            ("cafe\u{301}", ["cafe\u{301}"]), ("\u{FEFF}a", ["\u{FEFF}a"]), ("a b", ["a b"]),
        ]
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker, version: version)
            for (filter, matches) in expected {
                let client = try await RawClient.connect(broker, version: version)
                try await client.subscribe(filter, .init(qos: .atMostOnce))
                for topic in topics { try await publisher.publish(topic, qos: .atLeastOnce) }
                // Strings that look the same are equal in Swift, topics are not.
                for topic in matches {
                    #expect(try await client.message().topic.utf8.elementsEqual(topic.utf8), "\(filter)")
                }
                #expect(try await client.drain().isEmpty)
            }
        }
    }
}
