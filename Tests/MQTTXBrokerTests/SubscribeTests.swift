import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("SUBSCRIBE, retained messages and shared subscriptions", .timeLimit(.minutes(2)))
struct SubscribeTests {
    @Test(
        """
        Overlapping subscriptions bring one copy, at the highest QoS, with all identifiers [MQTT-3.3.4-2, \
        -3, -4]
        """
    )
    func overlapping() async throws {
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("a/#", .init(qos: .atMostOnce), identifier: 1)
            try await subscriber.subscribe("a/+", .init(qos: .exactlyOnce), identifier: 2)
            try await subscriber.subscribe("a/b", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("a/b", qos: .exactlyOnce)
            let message = try await subscriber.message()
            #expect(message.qos == .exactlyOnce)
            #expect(message.properties.subscriptionIdentifiers.sorted() == [1, 2])
            #expect(try await subscriber.drain().isEmpty)
        }
    }

    @Test("A subscription made again replaces the one before [MQTT-3.8.4-3]")
    func replaced() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            #expect(try await client.subscribe("t", .init(qos: .exactlyOnce), identifier: 1) == .grantedQoS2)
            #expect(try await client.subscribe("t", .init(qos: .atMostOnce), identifier: 2) == .success)
            try await client.publish("t")
            let message = try await client.message()
            #expect(message.qos == .atMostOnce && message.properties.subscriptionIdentifiers == [2])
            #expect(broker.statistics.subscriptions == 1)
        }
    }

    @Test("No Local keeps one's own messages away [MQTT-3.8.3-3]")
    func noLocal() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            try await client.subscribe("a/#", .init(noLocal: true))
            try await client.publish("a/b")
            #expect(try await client.drain().isEmpty)
            try await client.subscribe("a/b", .init(), identifier: 9)
            try await client.publish("a/b")
            #expect(try await client.message().properties.subscriptionIdentifiers == [9])
            try await RawClient.connect(broker).publish("a/c")
            #expect(try await client.message().topic == "a/c")
        }
    }

    @Test("No Local on a shared subscription is a protocol error [MQTT-3.8.3-4]")
    func sharedNoLocal() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            let filter = Array("$share/g/a".utf8)
            try await client.send(
                bytes: [0x82, UInt8(6 + filter.count), 0, 1, 0, 0, UInt8(filter.count)] + filter + [4])
            #expect(try await client.closed() == .protocolError)
        }
    }

    @Test("Every filter of a SUBSCRIBE gets its own answer [MQTT-3.8.4-5, -6, -7]")
    func refusals() async throws {
        try await withBroker({
            $0.deniedFilters = ["forbidden/#"]
            $0.areWildcardsAvailable = false
            $0.areSharedSubscriptionsAvailable = false
            $0.maximumQoS = .atLeastOnce
        }) { broker in
            let filters = ["fine", "a/#/b", "a/+", "$share/g/a", "forbidden/#"].map {
                SubscriptionRequest($0, options: .init(qos: .exactlyOnce))
            }
            let new = try await RawClient.connect(broker)
            #expect(
                try await new.subscribe(filters) == [
                    .grantedQoS1, .topicFilterInvalid, .wildcardSubscriptionsNotSupported,
                    .sharedSubscriptionsNotSupported, .wildcardSubscriptionsNotSupported,
                ])
        }
        try await withBroker({ $0.deniedFilters = ["forbidden/#"] }) { broker in
            for version in ProtocolVersion.allCases {
                let client = try await RawClient.connect(broker, version: version)
                #expect(try await client.subscribe("forbidden/#") == .unspecifiedError)
            }
        }
    }

    @Test("UNSUBSCRIBE is answered for every filter, and ends the messages [MQTT-3.10.4-2]")
    func unsubscribe() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            try await client.subscribe("a/#")
            try await client.send(.unsubscribe(Unsubscribe(packetID: 5, filters: ["a/#", "b"])))
            #expect(
                try await client.receive()
                    == .unsuback(UnsubAck(packetID: 5, reasonCodes: [.success, .noSubscriptionExisted])))
            try await client.publish("a/b")
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test("A retained message is kept, replaced and removed [MQTT-3.3.1-5, -6, -7]")
    func retained() async throws {
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("r/a", "old", qos: .atLeastOnce, retain: true)
            try await publisher.publish("r/a", "new", qos: .atLeastOnce, retain: true)
            try await publisher.publish("r/b", "zero", retain: true)
            let first = try await RawClient.connect(broker)
            try await first.subscribe("r/+", .init(qos: .exactlyOnce), identifier: 4)
            let found = [try await first.message(), try await first.message()].sorted { $0.topic < $1.topic }
            #expect(found.map(\.text) == ["new", "zero"])
            #expect(found.map(\.qos) == [.atLeastOnce, .atMostOnce])
            #expect(found.allSatisfy { $0.retain && $0.properties.subscriptionIdentifiers == [4] })
            try await publisher.publish("r/a", "", qos: .atLeastOnce, retain: true)
            #expect(try await first.message().retain == false)
            let second = try await RawClient.connect(broker)
            try await second.subscribe("r/a")
            #expect(try await second.drain().isEmpty)
        }
    }

    @Test("Retain Handling decides whether retained messages come [MQTT-3.3.1-9, -10, -11]")
    func retainHandling() async throws {
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("r", "x", qos: .atLeastOnce, retain: true)
            let client = try await RawClient.connect(broker)
            try await client.subscribe("r", .init(retainHandling: .doNotSend))
            #expect(try await client.drain().isEmpty)
            try await client.subscribe("r", .init(retainHandling: .sendIfNew))
            #expect(try await client.drain().isEmpty)
            try await client.subscribe("r", .init(retainHandling: .sendAtSubscribe))
            #expect(try await client.message().text == "x")
            try await client.subscribe("+", .init(retainHandling: .sendIfNew))
            #expect(try await client.message().text == "x")
        }
    }

    @Test("Retain As Published keeps the flag [MQTT-3.3.1-12, -13]")
    func retainAsPublished() async throws {
        try await withBroker { broker in
            let plain = try await RawClient.connect(broker)
            try await plain.subscribe("r")
            let keeping = try await RawClient.connect(broker)
            try await keeping.subscribe("r", .init(retainAsPublished: true))
            try await RawClient.connect(broker).publish("r", retain: true)
            #expect(try await plain.message().retain == false)
            #expect(try await keeping.message().retain == true)
        }
    }

    @Test("Wildcards don't find $ topics, and $SYS tells of the broker [MQTT-4.7.2-1]")
    func systemTopics() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            try await client.subscribe("#")
            try await client.subscribe("+/broker/#")
            #expect(try await client.drain().isEmpty)
            try await client.subscribe("$SYS/broker/clients/connected")
            #expect(try await client.message().text == "1")
            #expect(try await client.publish("$SYS/broker/uptime", qos: .atLeastOnce) == .notAuthorized)
        }
    }

    @Test("A bridge tells in $SYS whether it is connected, and nothing else")
    func bridgeState() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            try await client.subscribe("$SYS/broker/connection/#")
            let will = Will(topic: "$SYS/broker/connection/there.here/state", payload: ByteBuffer(string: "0"))
            let bridge = try await RawClient.connect(broker, will: will)
            try await bridge.publish("$SYS/broker/connection/there.here/state", "1", qos: .atLeastOnce)
            #expect(try await client.message().text == "1")
            for topic in ["there.here", "there.here/state/x", "there.here/other", "state"] {
                let code = try await bridge.publish("$SYS/broker/connection/" + topic, qos: .atLeastOnce)
                #expect(code == .notAuthorized, "\(topic)")
            }
            try await bridge.cut()
            #expect(try await client.message().text == "0")
        }
    }

    @Test("The answer to PINGREQ follows the messages that were due before", arguments: ProtocolVersion.allCases)
    func pingAfterMessages(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, version: version)
            try await client.publish("t/kept", qos: .atLeastOnce, retain: true)
            let subscribe = Subscribe(packetID: 2, filters: [.init("t/#")])
            let publish = Publish(topic: "t/live", payload: ByteBuffer())
            try await client.send(.subscribe(subscribe), .pingreq)
            #expect(try await client.received() == ["SUBACK", "t/kept", "PINGRESP"])
            try await client.send(.publish(publish), .pingreq, .publish(publish), .pingreq)
            #expect(try await client.received() == ["t/live", "t/live", "PINGRESP"])
            #expect(try await client.received() == ["PINGRESP"])
        }
    }

    @Test("Messages from before an UNSUBSCRIBE don't follow its UNSUBACK", arguments: ProtocolVersion.allCases)
    func unsubackAfterMessages(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, version: version)
            try await client.subscribe("t")
            try await RawClient.connect(broker).publish("t/kept", qos: .atLeastOnce, retain: true)
            try await client.send(
                .publish(Publish(topic: "t", payload: ByteBuffer())),
                .unsubscribe(Unsubscribe(packetID: 2, filters: ["t"])),
                .subscribe(Subscribe(packetID: 3, filters: [.init("t/#")])))
            let packets = [
                try await client.receive(), try await client.receive(), try await client.receive(),
                try await client.receive(),
            ]
            #expect(packets.map(\.brief) == ["t", "UNSUBACK", "SUBACK", "t/kept"])
        }
    }

    @Test("A shared subscription gives each message to one member, in turn [MQTT-4.8.2-4]")
    func shared() async throws {
        try await withBroker { broker in
            var members: [RawClient] = []
            for _ in 0..<3 {
                let member = try await RawClient.connect(broker)
                try await member.subscribe("$share/g/s/#", .init(qos: .atLeastOnce))
                members.append(member)
            }
            let other = try await RawClient.connect(broker)
            try await other.subscribe("$share/h/s/#", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker)
            for index in 0..<9 { try await publisher.publish("s/t", "\(index)", qos: .atLeastOnce) }
            var texts: [String] = []
            for member in members {
                let packets = try await member.drain()
                #expect(packets.count == 3)
                texts += packets.compactMap { if case .publish(let publish) = $0 { publish.text } else { nil } }
            }
            #expect(texts.sorted() == (0..<9).map { "\($0)" })
            #expect(try await other.drain().count == 9)
        }
    }

    @Test("What a member of a shared subscription did not acknowledge goes to another when it leaves")
    func sharedRedelivery() async throws {
        try await withBroker { broker in
            let first = try await RawClient.connect(broker)
            try await first.subscribe("$share/g/t", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("t", "a", qos: .atLeastOnce)
            #expect(try await first.message().text == "a")
            let second = try await RawClient.connect(broker)
            try await second.subscribe("$share/g/t", .init(qos: .atLeastOnce))
            try await first.cut()
            #expect(try await second.message().text == "a")
            try await publisher.publish("t", "b", qos: .atLeastOnce)
            #expect(try await second.message().text == "b")
        }
    }

    @Test("Retained messages don't come for shared subscriptions [section 4.8.2]")
    func sharedRetained() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            try await client.publish("t", "x", qos: .atLeastOnce, retain: true)
            try await client.subscribe("$share/g/t")
            #expect(try await client.drain().isEmpty)
        }
    }
}
