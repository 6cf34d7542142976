import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("PUBLISH", .timeLimit(.minutes(2)))
struct PublishTests {
    @Test(
        "Messages arrive at the lower of the published and the granted QoS [MQTT-3.8.4-8, MQTT311-3.8.4-6]",
        arguments: ProtocolVersion.allCases)
    func effectiveQoS(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            for granted in QoS.allCases {
                let subscriber = try await RawClient.connect(broker, version: version)
                try await subscriber.subscribe("t", .init(qos: granted))
                let publisher = try await RawClient.connect(broker, version: version)
                for published in QoS.allCases {
                    try await publisher.publish("t", "\(published)", qos: published)
                    let message = try await subscriber.message()
                    #expect(message.qos == min(published, granted))
                    #expect(message.text == "\(published)")
                    #expect(!message.dup && !message.retain)
                }
                try await subscriber.disconnect()
            }
        }
    }

    @Test("A publish that matches nobody says so [MQTT-3.4.2.1]")
    func noSubscribers() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            #expect(try await client.publish("nobody", qos: .atLeastOnce) == .noMatchingSubscribers)
            #expect(try await client.publish("nobody", qos: .exactlyOnce) == .success)
        }
    }

    @Test("Properties travel on unaltered, in order [MQTT-3.3.2-4, -15, -16, -17, -18, -20]")
    func properties() async throws {
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("t", identifier: 268_435_455)
            let publisher = try await RawClient.connect(broker)
            let sent = Properties.with {
                $0.payloadFormatIndicator = 1
                $0.contentType = "text/plain"
                $0.responseTopic = "answers"
                $0.correlationData = ByteBuffer(bytes: [0, 1, 2])
                $0.userProperties = [UserProperty("b", "1"), UserProperty("a", "2"), UserProperty("b", "3")]
            }
            try await publisher.publish("t", qos: .atLeastOnce) { $0 = sent }
            var expected = sent
            expected.subscriptionIdentifiers = [268_435_455]
            #expect(try await subscriber.message().properties == expected)
        }
    }

    @Test("What is for the server stays there, wherever it stands among the properties [MQTT-3.3.2-6]")
    func propertiesForTheServer() async throws {
        let alias: [UInt8] = [0x23, 0, 1]
        let expiry: [UInt8] = [0x02, 0, 0, 0, 100]
        let contentType: [UInt8] = [0x03, 0, 1, 0x63]
        let user: [UInt8] = [0x26, 0, 1, 0x6E, 0, 1, 0x76]
        let orders = [
            [alias, expiry, contentType, user], [expiry, contentType, user, alias], [contentType, alias, user, expiry],
            [user, contentType, expiry, alias], [expiry, alias], [alias, contentType], [user, alias], [alias],
            [contentType, user],
        ]
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("t")
            let publisher = try await RawClient.connect(broker)
            for order in orders {
                let section = order.flatMap(\.self)
                // Twice: properties seen lately are known by their bytes.
                for _ in 0..<2 {
                    let body: [UInt8] = [0, 1, 0x74, UInt8(section.count)] + section + [0x70]
                    try await publisher.send(bytes: [0x30, UInt8(body.count)] + body)
                    let message = try await subscriber.message()
                    let properties = message.properties
                    #expect(message.text == "p")
                    #expect(properties.topicAlias == nil)
                    #expect(properties.contentType == (order.contains(contentType) ? "c" : nil))
                    #expect(properties.userProperties == (order.contains(user) ? [UserProperty("n", "v")] : []))
                    #expect((properties.messageExpiryInterval != nil) == order.contains(expiry))
                    #expect(properties.messageExpiryInterval ?? 100 <= 100)
                }
            }
        }
    }

    @Test("What is left of the expiry interval goes on, and what has expired does not [MQTT-3.3.2-5, -6]")
    func messageExpiry() async throws {
        try await withBroker { broker in
            let away = try await RawClient.connect(broker, "away") { $0.sessionExpiryInterval = 100 }
            try await away.subscribe("t")
            try await away.disconnect()
            let publisher = try await RawClient.connect(broker)
            let clock = try await RawClient.connect(
                broker, "clock",
                will: Will(
                    topic: "clock", payload: ByteBuffer(), properties: .with { $0.willDelayInterval = 2 })
            ) {
                $0.sessionExpiryInterval = 100
            }
            try await publisher.subscribe("clock")
            try await publisher.publish("t", "short", qos: .atLeastOnce) { $0.messageExpiryInterval = 1 }
            try await publisher.publish("t", "long", qos: .atLeastOnce) { $0.messageExpiryInterval = 100 }
            // Two seconds, told by the broker itself.
            try await clock.cut()
            #expect(try await publisher.message().topic == "clock")
            let back = try await RawClient.connect(broker, "away", cleanStart: false)
            let message = try await back.message()
            #expect(message.text == "long")
            #expect((90...98).contains(message.properties.messageExpiryInterval ?? 0))
        }
    }

    @Test("Topic aliases are taken and given [MQTT-3.1.2-26, MQTT-3.3.2-11]")
    func aliases() async throws {
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker) { $0.topicAliasMaximum = 1 }
            try await subscriber.subscribe("a/#")
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("a/long/topic") { $0.topicAlias = 3 }
            try await publisher.send(
                .publish(Publish(topic: "", payload: ByteBuffer(string: "y"), properties: .with { $0.topicAlias = 3 })))
            try await publisher.publish("a/other")
            let first = try await subscriber.message()
            #expect(first.topic == "a/long/topic" && first.properties.topicAlias == 1)
            let second = try await subscriber.message()
            #expect(second.topic.isEmpty && second.properties.topicAlias == 1 && second.text == "y")
            let third = try await subscriber.message()
            #expect(third.topic == "a/other" && third.properties.topicAlias == nil)
        }
    }

    @Test("A message that fits the client's packets without an alias, but not with one, goes without")
    func aliasTooLong() async throws {
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker, "small") {
                $0.topicAliasMaximum = 1
                $0.maximumPacketSize = 25
            }
            try await subscriber.subscribe("sensors/temperature")
            let publisher = try await RawClient.connect(broker)
            for text in ["x", "", ""] { try await publisher.publish("sensors/temperature", text) }
            let received = [
                try await subscriber.message(), try await subscriber.message(), try await subscriber.message(),
            ]
            #expect(received.map(\.text) == ["x", "", ""])
            #expect(received.allSatisfy { $0.topic == "sensors/temperature" && $0.properties.topicAlias == nil })
        }
    }

    @Test("Aliases outside the limit, and topics that are none, end the connection")
    func violations() async throws {
        let payload = ByteBuffer(string: "x")
        let cases: [(Publish, ReasonCode)] = [
            (Publish(topic: "a", payload: payload, properties: .with { $0.topicAlias = 1000 }), .topicAliasInvalid),
            (Publish(topic: "", payload: payload, properties: .with { $0.topicAlias = 5 }), .protocolError),
        ]
        try await withBroker { broker in
            for (publish, code) in cases {
                let client = try await RawClient.connect(broker)
                try await client.send(.publish(publish))
                #expect(try await client.closed() == code)
            }
            let client = try await RawClient.connect(broker)
            try await client.send(bytes: [0x30, 5, 0, 2, UInt8(ascii: "a"), UInt8(ascii: "#"), 0])
            #expect(try await client.closed() == .topicNameInvalid)
        }
    }

    @Test("More unacknowledged messages than Receive Maximum end the connection with 0x93 [MQTT-3.3.4-9]")
    func receiveMaximum() async throws {
        try await withBroker({ $0.receiveMaximum = 20 }) { broker in
            let client = try await RawClient.connect(broker)
            for id in 1...21 as ClosedRange<UInt16> {
                try await client.send(
                    .publish(Publish(topic: "t", payload: ByteBuffer(), qos: .exactlyOnce, packetID: id)))
            }
            #expect(try await client.closed() == .receiveMaximumExceeded)
        }
    }

    @Test("The client's Receive Maximum bounds what is in flight to it [MQTT-3.3.4-9, MQTT-4.9.0-1, -2]")
    func clientReceiveMaximum() async throws {
        try await withBroker { broker in
            let subscriber = try await RawClient.connect(broker) { $0.receiveMaximum = 2 }
            try await subscriber.subscribe("t", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker)
            for index in 0..<4 { try await publisher.publish("t", "\(index)", qos: .atLeastOnce) }
            let first = try await subscriber.message()
            #expect(try await subscriber.message().text == "1")
            #expect(try await subscriber.drain().isEmpty)
            try await subscriber.send(.puback(Acknowledgement(packetID: first.packetID)))
            #expect(try await subscriber.message().text == "2")
            #expect(try await subscriber.drain().isEmpty)
        }
    }

    @Test("A message larger than the client takes is left out, and counts as sent [MQTT-3.1.2-24, -25]")
    func maximumPacketSize() async throws {
        try await withBroker { broker in
            func connect(_ size: UInt32?, cleanStart: Bool = false) async throws -> RawClient {
                try await RawClient.connect(broker, "s", cleanStart: cleanStart) {
                    $0.maximumPacketSize = size
                    $0.sessionExpiryInterval = 100
                    // What counts as unsent would leave no room for anything else.
                    $0.receiveMaximum = 1
                }
            }
            let large = String(repeating: "x", count: 100)
            let subscriber = try await connect(60, cleanStart: true)
            try await subscriber.subscribe("t")
            let publisher = try await RawClient.connect(broker)
            for qos in QoS.allCases { try await publisher.publish("t", large, qos: qos) }
            try await publisher.publish("t", "small", qos: .atLeastOnce)
            let small = try await subscriber.message()
            #expect(small.text == "small")
            #expect(broker.statistics.messagesDropped == 3)
            try await subscriber.send(.puback(Acknowledgement(packetID: small.packetID)))
            #expect(try await subscriber.drain().isEmpty)
            try await subscriber.cut()
            // Sent to one that takes it, and not acknowledged; the next takes less.
            let generous = try await connect(nil)
            #expect(try await generous.drain().isEmpty)
            try await publisher.publish("t", large, qos: .exactlyOnce)
            #expect(try await generous.message().text == large)
            try await publisher.publish("t", large, qos: .atLeastOnce)
            try await publisher.publish("t", "queued", qos: .atLeastOnce)
            try await generous.cut()
            #expect(try await connect(60).message().text == "queued")
        }
    }

    @Test("A packet over the broker's maximum ends the connection with 0x95 [MQTT-3.2.2-15]")
    func packetTooLarge() async throws {
        try await withBroker({ $0.maximumPacketSize = 1000 }) { broker in
            let client = try await RawClient.connect(broker)
            try await client.publish("t", String(repeating: "x", count: 2000))
            #expect(try await client.closed() == .packetTooLarge)
        }
    }

    @Test("QoS and RETAIN that were not offered end the connection [MQTT-3.2.2-11, MQTT-3.2.2-14]")
    func notOffered() async throws {
        try await withBroker({
            $0.maximumQoS = .atLeastOnce
            $0.isRetainAvailable = false
        }) { broker in
            let first = try await RawClient.connect(broker)
            try await first.send(.publish(Publish(topic: "t", payload: ByteBuffer(), qos: .exactlyOnce, packetID: 1)))
            #expect(try await first.closed() == .qosNotSupported)
            let second = try await RawClient.connect(broker)
            try await second.publish("t", retain: true)
            #expect(try await second.closed() == .retainNotSupported)
        }
    }

    @Test("A QoS that is not offered ends a connection of 3.1.1 as well, and nobody gets the message")
    func notOfferedIn311() async throws {
        try await withBroker({
            $0.maximumQoS = .atLeastOnce
            $0.maximumPayloadSize = 10
        }) { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("t")
            for payload in ["x", "larger than ten bytes"] {
                let client = try await RawClient.connect(broker, version: .v3_1_1)
                let publish = Publish(
                    topic: "t", payload: ByteBuffer(string: payload), qos: .exactlyOnce, packetID: 1)
                try await client.send(.publish(publish))
                #expect(try await client.next() == nil)
            }
            #expect(try await subscriber.drain().isEmpty)
            let will = Will(topic: "t", payload: ByteBuffer(), qos: .exactlyOnce)
            let client = try await RawClient.open(broker, version: .v3_1_1)
            let answer = try await client.handshake(Connect(version: .v3_1_1, clientID: "a", will: will))
            #expect(answer.reasonCode == .serverUnavailable)
        }
    }

    @Test("Messages of one topic keep their order through a full window [MQTT-4.6.0-5, -6, MQTT311-4.6.0-5, -6]")
    func order() async throws {
        try await withBroker({ $0.maximumInflight = 5 }) { broker in
            let subscriber = try await RawClient.connect(broker)
            try await subscriber.subscribe("t", .init(qos: .atLeastOnce))
            let publisher = try await RawClient.connect(broker, version: .v3_1_1)
            let count = 3000
            async let sending: Void = {
                for index in 1...count {
                    try await publisher.send(
                        .publish(
                            Publish(
                                topic: "t", payload: ByteBuffer(string: "\(index)"), qos: .atLeastOnce,
                                packetID: UInt16(index))))
                }
            }()
            for index in 1...count {
                let message = try await subscriber.message()
                try #require(message.text == "\(index)")
                try await subscriber.send(.puback(Acknowledgement(packetID: message.packetID)))
            }
            try await sending
            #expect(broker.statistics.messagesDropped == 0)
        }
    }
}
