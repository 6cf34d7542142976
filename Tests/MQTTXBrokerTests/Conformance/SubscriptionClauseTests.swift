import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("Subscriptions, by clause (sections 3.8 to 3.11, 4.8)", .timeLimit(.minutes(2)))
struct SubscriptionClauseTests {
    @Test(
        """
        SUBSCRIBE and UNSUBSCRIBE are answered with their identifiers, one code for each filter, in their \
        order [MQTT-2.2.1-6, MQTT-3.8.4-1, -2, -5, MQTT-3.9.3-1, MQTT-3.10.4-4, -5, -6, MQTT-3.11.3-1, \
        MQTT311-2.3.1-7, MQTT311-3.8.4-1, -2, -4, -5, MQTT311-3.9.3-1, -2, MQTT311-3.10.4-4, -5, -6]
        """,
        arguments: ProtocolVersion.allCases)
    func answers(version: ProtocolVersion) async throws {
        try await withBroker({ $0.deniedFilters = ["no"] }) { broker in
            let client = try await RawClient.connect(broker, version: version)
            let filters = ["a", "no", "b/#", "c"]
            let granted = zip(filters, [QoS.exactlyOnce, .atMostOnce, .atLeastOnce, .atMostOnce]).map {
                SubscriptionRequest($0, options: .init(qos: $1))
            }
            try await client.send(.subscribe(Subscribe(packetID: 0xFFFE, filters: granted)))
            #expect(
                try await client.receive()
                    == .suback(
                        SubAck(
                            packetID: 0xFFFE, reasonCodes: [.grantedQoS2, .unspecifiedError, .grantedQoS1, .success])))
            #expect(broker.statistics.subscriptions == 3)
            try await client.send(.unsubscribe(Unsubscribe(packetID: 0xFFFD, filters: ["b/#", "never", "a"])))
            let codes: [ReasonCode] = version == .v5 ? [.success, .noSubscriptionExisted, .success] : []
            #expect(try await client.receive() == .unsuback(UnsubAck(packetID: 0xFFFD, reasonCodes: codes)))
            #expect(broker.statistics.subscriptions == 1)
            // And where nothing is removed at all.
            try await client.send(.unsubscribe(Unsubscribe(packetID: 3, filters: ["never"])))
            #expect(
                try await client.receive()
                    == .unsuback(
                        UnsubAck(packetID: 3, reasonCodes: version == .v5 ? [.noSubscriptionExisted] : [])))
            try await client.publish("a")
            try await client.publish("c", "here")
            #expect(try await client.texts(1) == ["here"])
        }
    }

    @Test(
        """
        A filter subscribed again brings what is retained again, and nothing is lost meanwhile \
        [MQTT-3.8.4-4, MQTT311-3.8.4-3]
        """,
        arguments: ProtocolVersion.allCases)
    func subscribedAgain(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker, version: version)
            try await publisher.publish("t", "kept", qos: .atLeastOnce, retain: true)
            let client = try await RawClient.connect(broker, version: version)
            try await client.subscribe("t", .init(qos: .atLeastOnce))
            let first = try await client.message()
            #expect(first.text == "kept" && first.retain)
            // Sent before the subscription is made anew, acknowledged after it.
            try await publisher.publish("t", "under way", qos: .atLeastOnce)
            let second = try await client.message()
            try await client.send(.subscribe(Subscribe(packetID: 9, filters: [.init("t")])))
            guard case .suback(let suback) = try await client.receive() else { throw RawClientError.unexpected }
            #expect(suback.reasonCodes == [.success])
            let again = try await client.message()
            #expect(again.text == "kept" && again.retain && again.qos == .atMostOnce)
            try await client.send(
                .puback(Acknowledgement(packetID: first.packetID)), .puback(Acknowledgement(packetID: second.packetID)))
            try await publisher.publish("t", "after", qos: .atLeastOnce)
            let last = try await client.message()
            #expect(last.text == "after" && last.qos == .atMostOnce)
            #expect(broker.statistics.subscriptions == 1)
        }
    }

    @Test(
        """
        UNSUBSCRIBE compares byte by byte: a filter that matches another is another [MQTT-3.10.4-1, \
        MQTT311-3.10.4-1]
        """,
        arguments: ProtocolVersion.allCases)
    func unsubscribeExactly(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, version: version)
            try await client.subscribe("a/+", .init(qos: .atMostOnce))
            for filter in ["a/b", "a/#", "A/+", "a/+/", "+/+"] {
                try await client.send(.unsubscribe(Unsubscribe(packetID: 2, filters: [filter])))
                guard case .unsuback = try await client.receive() else { throw RawClientError.unexpected }
            }
            try await client.publish("a/b", "still")
            #expect(try await client.texts(1) == ["still"])
            try await client.send(.unsubscribe(Unsubscribe(packetID: 2, filters: ["a/+"])))
            guard case .unsuback = try await client.receive() else { throw RawClientError.unexpected }
            try await client.publish("a/b")
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test(
        "UNSUBSCRIBE stops new messages; what is under way is finished [MQTT-3.10.4-3, MQTT311-3.10.4-2, -3]",
        arguments: ProtocolVersion.allCases)
    func unsubscribeUnderWay(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await RawClient.resume(broker, "c", version: version)
            try await client.subscribe("t")
            let publisher = try await RawClient.connect(broker, version: version)
            try await publisher.publish("t", "1", qos: .atLeastOnce)
            try await publisher.publish("t", "2", qos: .exactlyOnce)
            let one = try await client.message()
            let two = try await client.message()
            try await client.send(.unsubscribe(Unsubscribe(packetID: 2, filters: ["t"])))
            guard case .unsuback = try await client.receive() else { throw RawClientError.unexpected }
            try await publisher.publish("t", "3", qos: .atLeastOnce)
            try await client.complete(two)
            #expect(try await client.drain().isEmpty)
            try await client.cut()
            let again = try await RawClient.resume(broker, "c", version: version)
            let resent = try await again.message()
            #expect(resent.text == "1" && resent.dup && resent.packetID == one.packetID)
            #expect(try await again.drain().isEmpty)
        }
    }

    @Test("Where subscriptions of 3.1.1 overlap, one copy comes, at the highest QoS of them [MQTT311-3.3.5-1]")
    func overlapping() async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker, version: .v3_1_1)
            for (filter, qos) in [("a/#", QoS.atMostOnce), ("a/+", .exactlyOnce), ("a/b", .atLeastOnce)] {
                try await client.subscribe(filter, .init(qos: qos))
            }
            try await RawClient.connect(broker, version: .v3_1_1).publish("a/b", qos: .exactlyOnce)
            #expect(try await client.message().qos == .exactlyOnce)
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test("Where wildcards are not offered, 3.1.1 is refused them too [MQTT311-3.8.3-2]")
    func noWildcards() async throws {
        try await withBroker({ $0.areWildcardsAvailable = false }) { broker in
            let client = try await RawClient.connect(broker, version: .v3_1_1)
            let codes = try await client.subscribe(["a/+", "#", "plain"].map { SubscriptionRequest($0) })
            #expect(codes == [.unspecifiedError, .unspecifiedError, .success])
        }
    }

    @Test(
        """
        A filter with a misplaced wildcard, or a share without group or filter, is refused [MQTT-4.7.1-1, \
        -2, MQTT-4.8.2-1, -2, MQTT311-4.7.1-2, -3]
        """,
        arguments: ["a#", "a/#/b", "a+", "+a/b", "$share//a", "$share/g", "$share/g/", "$share/g+/a", "$share/#/a"])
    func badFilters(filter: String) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker)
            #expect(try await client.subscribe(filter) == .topicFilterInvalid)
            let old = try await RawClient.connect(broker, version: .v3_1_1)
            try await old.send(.subscribe(Subscribe(packetID: 1, filters: [.init(filter)])))
            #expect(try await old.closed() == nil)
            #expect(broker.statistics.subscriptions == 0)
        }
    }

    // MARK: Shared subscriptions

    @Test("A member of a shared subscription gets no more than the QoS it was granted [MQTT-4.8.2-3]")
    func sharedQoS() async throws {
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker)
            for qos in QoS.allCases {
                let member = try await RawClient.connect(broker)
                try await member.subscribe("$share/g/t/\(qos.rawValue)", .init(qos: qos))
                try await publisher.publish("t/\(qos.rawValue)", qos: .exactlyOnce)
                #expect(try await member.message().qos == qos)
            }
        }
    }

    /// Two members of one group; the one to which the message of QoS 2 went, and the other.
    private func twoMembers(
        _ broker: Broker
    ) async throws -> (chosen: String, message: Publish, client: RawClient, other: RawClient) {
        let members = [try await RawClient.resume(broker, "m0"), try await RawClient.resume(broker, "m1")]
        for member in members { try await member.subscribe("$share/g/t") }
        try await RawClient.connect(broker).publish("t", "one", qos: .exactlyOnce)
        for round in 0..<10_000 {
            let index = round % 2
            guard case .publish(let publish)? = try await members[index].drain().first else { continue }
            return ("m\(index)", publish, members[index], members[1 - index])
        }
        throw RawClientError.timeout
    }

    @Test(
        """
        A message of QoS 2 that a member has begun to receive is finished with it when it comes back \
        [MQTT-4.8.2-4]
        """
    )
    func sharedComesBack() async throws {
        try await withBroker { broker in
            let (chosen, message, client, other) = try await twoMembers(broker)
            try await client.cut()
            #expect(try await other.drain().isEmpty)
            let back = try await RawClient.resume(broker, chosen)
            let again = try await back.message()
            #expect(again.packetID == message.packetID && again.dup)
            try await back.complete(again)
            #expect(try await other.drain().isEmpty)
        }
    }

    @Test(
        """
        A message of QoS 2 that a member has begun to receive goes to nobody else when its session ends \
        [MQTT-4.8.2-5]
        """
    )
    func sharedEnds() async throws {
        try await withBroker { broker in
            let (_, _, client, other) = try await twoMembers(broker)
            try await client.disconnect(properties: .with { $0.sessionExpiryInterval = 0 })
            #expect(try await other.drain().isEmpty)
        }
    }

    @Test(
        "A message that a member refuses goes to nobody else [MQTT-4.8.2-6]",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func sharedRefused(qos: QoS) async throws {
        try await withBroker { broker in
            let first = try await RawClient.connect(broker)
            try await first.subscribe("$share/g/t")
            try await RawClient.connect(broker).publish("t", qos: qos)
            let message = try await first.message()
            let second = try await RawClient.connect(broker)
            try await second.subscribe("$share/g/t")
            let refusal = Acknowledgement(packetID: message.packetID, reasonCode: .quotaExceeded)
            try await first.send(qos == .atLeastOnce ? .puback(refusal) : .pubrec(refusal))
            #expect(try await first.drain().isEmpty)
            // What it had not acknowledged would go to the other before its connection is closed.
            try await first.disconnect()
            #expect(try await second.drain().isEmpty)
        }
    }
}
