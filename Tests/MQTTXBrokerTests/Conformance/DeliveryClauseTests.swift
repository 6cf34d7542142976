import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("What the broker sends, by clause (sections 2.2.1, 3.3, 4.3, 4.4)", .timeLimit(.minutes(2)))
struct DeliveryClauseTests {
    private func subscriber(
        _ broker: Broker, _ version: ProtocolVersion, _ qos: QoS, _ filter: String = "t"
    ) async throws -> RawClient {
        let client = try await RawClient.resume(broker, "subscriber", version: version)
        try await client.subscribe(filter, .init(qos: qos))
        return client
    }

    @Test(
        "QoS 0 goes out without identifier and DUP [MQTT-2.2.1-2, MQTT-4.3.1-1, MQTT311-2.3.1-5, MQTT311-4.3.1-1]",
        arguments: ProtocolVersion.allCases)
    func atMostOnce(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await subscriber(broker, version, .exactlyOnce)
            try await RawClient.connect(broker, version: version).publish("t")
            let message = try await client.message()
            #expect(message.qos == .atMostOnce && message.packetID == 0 && !message.dup)
        }
    }

    @Test(
        """
        QoS 1 goes out with an identifier of its own, once, and stays unacknowledged until PUBACK \
        [MQTT-4.3.2-2, -3, MQTT-4.4.0-1, MQTT311-2.3.1-1, -4, MQTT311-3.3.1-1, MQTT311-4.3.2-1, \
        MQTT311-4.4.0-1]
        """,
        arguments: ProtocolVersion.allCases)
    func atLeastOnce(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await subscriber(broker, version, .atLeastOnce)
            let publisher = try await RawClient.connect(broker, version: version)
            try await publisher.publish("t", qos: .atLeastOnce)
            let message = try await client.message()
            #expect(message.qos == .atLeastOnce && message.packetID != 0 && !message.dup)
            // Nothing is sent again while the connection lasts.
            #expect(try await client.drain().isEmpty)
            try await client.cut()
            let second = try await RawClient.resume(broker, "subscriber", version: version)
            let again = try await second.message()
            #expect(again.dup && again.packetID == message.packetID && again.text == message.text)
            try await second.send(.puback(Acknowledgement(packetID: again.packetID)))
            #expect(try await second.drain().isEmpty)
            try await second.cut()
            #expect(try await RawClient.resume(broker, "subscriber", version: version).drain().isEmpty)
        }
    }

    @Test(
        """
        QoS 2: PUBLISH, PUBREC, PUBREL, PUBCOMP; after PUBREC the PUBREL is what is sent again \
        [MQTT-4.3.3-2, -4, -5, -6, MQTT311-4.3.3-1, MQTT311-4.4.0-1]
        """,
        arguments: ProtocolVersion.allCases)
    func exactlyOnce(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await subscriber(broker, version, .exactlyOnce)
            try await RawClient.connect(broker, version: version).publish("t", qos: .exactlyOnce)
            let message = try await client.message()
            #expect(message.qos == .exactlyOnce && message.packetID != 0 && !message.dup)
            let pubrel = Packet.pubrel(Acknowledgement(packetID: message.packetID))
            for _ in 0..<2 {
                try await client.send(.pubrec(Acknowledgement(packetID: message.packetID)))
                #expect(try await client.receive() == pubrel)
            }
            try await client.cut()
            let second = try await RawClient.resume(broker, "subscriber", version: version)
            #expect(try await second.receive() == pubrel)
            try await second.send(.pubcomp(Acknowledgement(packetID: message.packetID)))
            #expect(try await second.drain().isEmpty)
            try await second.cut()
            #expect(try await RawClient.resume(broker, "subscriber", version: version).drain().isEmpty)
        }
    }

    @Test(
        """
        Identifiers in flight are all different, and one comes back only after its acknowledgement \
        [MQTT-2.2.1-4, MQTT-4.3.2-1, MQTT-4.3.3-1, MQTT311-2.3.1-4]
        """, arguments: ProtocolVersion.allCases)
    func identifiers(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await subscriber(broker, version, .exactlyOnce)
            let publisher = try await RawClient.connect(broker, version: version)
            var inFlight: Set<UInt16> = []
            for round in 0..<60 {
                let qos: QoS = round % 2 == 0 ? .atLeastOnce : .exactlyOnce
                try await publisher.publish("t", "\(round)", qos: qos)
                let message = try await client.message()
                #expect(message.packetID != 0 && inFlight.insert(message.packetID).inserted)
                guard round % 3 != 0 else { continue }
                if qos == .atLeastOnce {
                    try await client.send(.puback(Acknowledgement(packetID: message.packetID)))
                } else {
                    try await client.complete(message)
                }
                inFlight.remove(message.packetID)
            }
        }
    }

    @Test(
        "A subscriber's DUP says nothing of the publisher's [MQTT-3.3.1-3, MQTT311-3.3.1-3]",
        arguments: ProtocolVersion.allCases)
    func dupIsOwn(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let client = try await subscriber(broker, version, .exactlyOnce)
            let publisher = try await RawClient.connect(broker, version: version)
            for qos in [QoS.atLeastOnce, .exactlyOnce] {
                try await publisher.put("t", qos: qos, packetID: 9, dup: true)
                #expect(try await client.message().dup == false)
            }
        }
    }

    @Test(
        "An acknowledgement of another kind than the message awaits is a violation; a late one is not [MQTT-4.13.1-1, MQTT311-4.8.0-1]",
        arguments: ProtocolVersion.allCases)
    func wrongAcknowledgement(version: ProtocolVersion) async throws {
        typealias Answer = (Acknowledgement) -> Packet
        let wrong: [(QoS, [Answer])] = [
            (.atLeastOnce, [Packet.pubrec]), (.atLeastOnce, [Packet.pubcomp]), (.exactlyOnce, [Packet.puback]),
            (.exactlyOnce, [Packet.pubcomp]), (.exactlyOnce, [Packet.pubrec, Packet.puback]),
        ]
        try await withBroker { broker in
            let publisher = try await RawClient.connect(broker, version: version)
            for (qos, answers) in wrong {
                let client = try await RawClient.connect(broker, version: version)
                try await client.subscribe("t", .init(qos: qos))
                try await publisher.publish("t", qos: qos)
                let id = try await client.message().packetID
                for answer in answers { try await client.send(answer(Acknowledgement(packetID: id))) }
                #expect(try await client.closed() == (version == .v5 ? .protocolError : nil))
            }
            let client = try await RawClient.connect(broker, version: version)
            for late in [Packet.puback, Packet.pubcomp] as [Answer] { try await client.send(late(.init(packetID: 7))) }
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test("What the client refuses counts as acknowledged and is not sent again [MQTT-4.4.0-2]")
    func refusedByClient() async throws {
        try await withBroker { broker in
            let client = try await subscriber(broker, .v5, .exactlyOnce)
            let publisher = try await RawClient.connect(broker)
            try await publisher.publish("t", qos: .atLeastOnce)
            try await publisher.publish("t", qos: .exactlyOnce)
            let ids = [try await client.message().packetID, try await client.message().packetID]
            try await client.send(
                .puback(Acknowledgement(packetID: ids[0], reasonCode: .quotaExceeded)),
                .pubrec(Acknowledgement(packetID: ids[1], reasonCode: .quotaExceeded)))
            #expect(try await client.drain().isEmpty)
            try await client.cut()
            #expect(try await RawClient.resume(broker, "subscriber").drain().isEmpty)
        }
    }

    @Test("A message of QoS 2 that was sent once does not expire any more [MQTT-4.3.3-7]")
    func noExpiryOnceSent() async throws {
        try await withBroker { broker in
            let client = try await subscriber(broker, .v5, .exactlyOnce)
            let publisher = try await RawClient.connect(broker)
            let clock = Will(topic: "clock", payload: ByteBuffer(), properties: .with { $0.willDelayInterval = 2 })
            try await publisher.subscribe("clock")
            try await publisher.publish("t", "sent", qos: .exactlyOnce) { $0.messageExpiryInterval = 1 }
            let message = try await client.message()
            try await client.cut()
            // Two seconds, told by the broker itself.
            try await RawClient.resume(broker, "clock", will: clock).cut()
            #expect(try await publisher.message().topic == "clock")
            let second = try await RawClient.resume(broker, "subscriber")
            let again = try await second.message()
            #expect(again.text == "sent" && again.dup && again.packetID == message.packetID)
            try await second.complete(again)
        }
    }

    @Test(
        "A window that is full holds back PUBLISH alone [MQTT-3.3.4-10, MQTT-4.9.0-3]",
        arguments: ProtocolVersion.allCases)
    func fullWindow(version: ProtocolVersion) async throws {
        try await withBroker({ $0.maximumInflight = 1 }) { broker in
            let client = try await subscriber(broker, version, .atLeastOnce)
            let publisher = try await RawClient.connect(broker, version: version)
            for text in ["1", "2"] { try await publisher.publish("t", text, qos: .atLeastOnce) }
            let first = try await client.message()
            // Everything else is answered as ever.
            #expect(try await client.drain().isEmpty)
            #expect(try await client.subscribe("other", .init(qos: .atMostOnce), packetID: 5) == .success)
            try await client.put("other", "own", qos: .exactlyOnce, packetID: 6)
            #expect(try await client.receive() == .pubrec(Acknowledgement(packetID: 6)))
            try await client.send(.pubrel(Acknowledgement(packetID: 6)))
            let two = [try await client.receive(), try await client.receive()]
            #expect(two.contains(.pubcomp(Acknowledgement(packetID: 6))))
            #expect(two.contains(.publish(Publish(topic: "other", payload: ByteBuffer(string: "own")))))
            try await client.send(.puback(Acknowledgement(packetID: first.packetID)))
            #expect(try await client.message().text == "2")
        }
    }

    @Test("A new connection knows no topic alias of the one before, either way [MQTT-3.3.2-7]")
    func aliasesEndWithTheConnection() async throws {
        try await withBroker { broker in
            let first = try await RawClient.resume(broker, "a") { $0.topicAliasMaximum = 5 }
            try await first.subscribe("long/topic")
            try await first.publish("long/topic", "1") { $0.topicAlias = 1 }
            #expect(try await first.message().topic == "long/topic")
            try await first.cut()
            let second = try await RawClient.resume(broker, "a") { $0.topicAliasMaximum = 5 }
            try await second.publish("long/topic", "2")
            #expect(try await second.message().topic == "long/topic")
            try await second.send(
                .publish(Publish(topic: "", payload: ByteBuffer(), properties: .with { $0.topicAlias = 1 })))
            #expect(try await second.closed() == .protocolError)
        }
    }

    @Test("A client that takes no topic aliases gets none [MQTT-3.1.2-27]", arguments: [nil, 0] as [UInt16?])
    func noAliases(maximum: UInt16?) async throws {
        try await withBroker { broker in
            let client = try await RawClient.connect(broker) { $0.topicAliasMaximum = maximum }
            try await client.subscribe("long/topic")
            for _ in 0..<2 {
                try await client.publish("long/topic")
                let message = try await client.message()
                #expect(message.topic == "long/topic" && message.properties.topicAlias == nil)
            }
        }
    }

    @Test(
        """
        Acknowledgements fit the smallest packet that a client can ask for [MQTT-3.4.2-2, -3, MQTT-3.5.2-2, \
        -3, MQTT-3.6.2-2, -3, MQTT-3.7.2-2, -3, MQTT-3.9.2-1, -2, MQTT-3.11.2-1, -2, MQTT-3.14.2-3, -4, \
        MQTT-3.15.2-2, -3]
        """
    )
    func smallestPackets() async throws {
        try await withBroker({
            $0.deniedFilters = ["no"]
            $0.enhancedAuthenticators = [Challenges()]
        }) { broker in
            let client = try await RawClient.open(broker)
            var connect = Connect(version: .v5, clientID: "a")
            connect.properties.maximumPacketSize = 20
            connect.properties.authenticationMethod = "M"
            guard case .connack = try await client.answer(to: .connect(connect)) else {
                throw RawClientError.unexpected
            }
            try await client.send(
                .subscribe(Subscribe(packetID: 1, filters: [.init("no")])),
                .publish(Publish(topic: "$SYS/x", payload: ByteBuffer(), qos: .atLeastOnce, packetID: 3)),
                .publish(Publish(topic: "$SYS/x", payload: ByteBuffer(), qos: .exactlyOnce, packetID: 4)),
                .pubrel(Acknowledgement(packetID: 5)), .pubrec(Acknowledgement(packetID: 6)),
                .unsubscribe(Unsubscribe(packetID: 2, filters: ["no"])),
                .auth(Auth(reasonCode: .reAuthenticate, properties: .with { $0.authenticationMethod = "M" })))
            var types: [PacketType] = []
            while types.count < 7 {
                let packet = try await client.receive()
                #expect(packet.size <= 20)
                types.append(packet.type)
            }
            #expect(Set(types) == [.suback, .puback, .pubrec, .pubcomp, .pubrel, .unsuback, .auth])
            // The reason that would go with it has no room.
            try await client.send(.pubrel(Acknowledgement(packetID: 5)), .connect(connect))
            #expect(try await client.receive().size <= 20)
            #expect(try await client.receive() == .disconnect(Disconnect(reasonCode: .protocolError)))
        }
    }

    /// A method that lets everyone in at once.
    private struct Challenges: EnhancedAuthenticator {
        let method = "M"

        func begin(_ attempt: ConnectAttempt) -> any EnhancedAuthentication { Exchange() }

        struct Exchange: EnhancedAuthentication {
            mutating func receive(_ data: [UInt8]?) async -> EnhancedAuthenticationStep { .accepted(identity: nil) }
        }
    }
}

extension RawClient {
    fileprivate func answer(to packet: Packet) async throws -> Packet {
        try await send(packet)
        return try await receive()
    }
}

extension Packet {
    fileprivate var size: Int {
        var buffer = ByteBuffer()
        try? PacketEncoder(version: .v5).encode(self, into: &buffer)
        return buffer.readableBytes
    }
}
