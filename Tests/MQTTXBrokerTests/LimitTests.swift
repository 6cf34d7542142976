import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("Limits, announced and held", .timeLimit(.minutes(2)))
struct LimitTests {
    @Test(
        "Arrangements of wildcards beyond the limit are refused with 0x97, or 0x80; filters of one arrangement are not")
    func wildcardLevels() async throws {
        try await withBroker({ $0.maximumWildcardLevels = 30 }) { broker in
            for version in ProtocolVersion.allCases {
                let client = try await RawClient.connect(broker, version: version)
                func code(_ filter: String) async throws -> ReasonCode {
                    try await client.subscribe(filter, .init(qos: .atMostOnce))
                }
                // Seven arrangements of three levels; one more of four.
                for filter in ["+/+/+", "+/+/a", "+/a/+", "+/a/a", "a/+/+", "a/+/a", "a/a/+", "a/a/a", "+/+/+/+"] {
                    #expect(try await code(filter) == .success)
                }
                let refused = version == .v5 ? ReasonCode.quotaExceeded : .unspecifiedError
                #expect(try await code("a/b/c/d/e/+") == refused)
                #expect(try await code("$share/g/a/b/c/d/e/f") == refused)
                for index in 0..<100 { #expect(try await code("\(index)/+/x") == .success) }
                #expect(try await code("a/b/c/d/e/f/#") == .success)
                try await client.send(.unsubscribe(Unsubscribe(packetID: 2, filters: ["+/+/+/+"])))
                #expect(try await client.receive() == .unsuback(unsuback(version)))
                #expect(try await code("a/b/c/d/e/+") == .success)
            }
        }
    }

    private func unsuback(_ version: ProtocolVersion) -> UnsubAck {
        UnsubAck(packetID: 2, reasonCodes: version == .v5 ? [.success] : [])
    }

    @Test("Filters that overlap bring the retained messages of each, looked up as the client takes them")
    func overlappingRetained() async throws {
        try await withBroker({ $0.systemTopicInterval = .zero }) { broker in
            let publisher = try await RawClient.connect(broker)
            for index in 0..<600 { try await publisher.publish("r/\(index)", retain: true) }
            #expect(try await publisher.drain().isEmpty)
            let client = try await RawClient.connect(broker) { $0.receiveMaximum = 100 }
            let filters = ["r/+", "#", "+/+", "r/#", "+/#", "gone/#", "r/0"]
            let granted = try await client.subscribe(
                filters.map { SubscriptionRequest($0, options: .init(qos: .atMostOnce)) })
            #expect(granted == filters.map { _ in .success })
            for _ in 0..<3001 { #expect(try await client.message().retain) }
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test("A client that acknowledges nothing keeps few retained messages waiting, however many filters match them")
    func unreadRetained() async throws {
        try await withBroker({ $0.systemTopicInterval = .zero }) { broker in
            let publisher = try await RawClient.connect(broker)
            for index in 0..<600 { try await publisher.publish("r/\(index)", qos: .atLeastOnce, retain: true) }
            let client = try await RawClient.connect(broker) { $0.receiveMaximum = 10 }
            let before = broker.statistics.messagesSent
            let filters = ["r/+", "#"] + Array(repeating: "+/+", count: 1000) + ["r/#"]
            _ = try await client.subscribe(filters.map { SubscriptionRequest($0, options: .init(qos: .atLeastOnce)) })
            var open = try await client.drain().compactMap(\.publishID)
            #expect(open.count == 10)
            #expect((1000..<1300).contains(broker.statistics.messagesSent - before))
            try await client.send(.unsubscribe(Unsubscribe(packetID: 2, filters: ["+/+"])))
            #expect(try await client.receive() == .unsuback(unsuback(.v5)))
            var messages = open.count
            while !open.isEmpty {
                try await client.send(.puback(Acknowledgement(packetID: open.removeFirst())))
                guard messages < 1800 else { continue }
                open.append(try await client.message().packetID)
                messages += 1
            }
            #expect(try await client.drain().isEmpty)
        }
    }

    @Test("Long keep alives are shortened to a minute, and those who want none are asked for none [section 3.2.2.3.14]")
    func keepAlive() async throws {
        try await withBroker { broker in
            for (asked, given) in [(120, 60), (60, nil), (10, nil), (0, nil)] as [(UInt16, UInt16?)] {
                let client = try await RawClient.open(broker)
                let answer = try await client.handshake(Connect(version: .v5, keepAlive: asked, clientID: "a"))
                #expect(answer.properties.serverKeepAlive == given)
            }
        }
        try await withBroker({ $0.maximumKeepAlive = 20 }) { broker in
            for (asked, given) in [(120, 20), (20, nil), (10, nil), (0, 20)] as [(UInt16, UInt16?)] {
                let client = try await RawClient.open(broker)
                let answer = try await client.handshake(Connect(version: .v5, keepAlive: asked, clientID: "a"))
                #expect(answer.properties.serverKeepAlive == given)
            }
        }
    }

    @Test("A will whose payload is over the limit is refused with the CONNECT: 0x95, or 0x05")
    func willPayload() async throws {
        try await withBroker({ $0.maximumPayloadSize = 4 }) { broker in
            for version in ProtocolVersion.allCases {
                for (payload, code) in [("1234", ReasonCode.success), ("12345", refusal(version))] {
                    let client = try await RawClient.open(broker, version: version)
                    let will = Will(topic: "w", payload: ByteBuffer(string: payload))
                    let connect = Connect(version: version, clientID: "a", will: will)
                    #expect(try await client.handshake(connect).reasonCode == code)
                }
            }
        }
    }

    private func refusal(_ version: ProtocolVersion) -> ReasonCode {
        version == .v5 ? .packetTooLarge : .notAuthorized
    }

    @Test(
        "A CONNACK keeps to the client's Maximum Packet Size, without its reason if need be [MQTT-3.1.2-24, MQTT-3.2.2-19]"
    )
    func smallConnack() async throws {
        try await withBroker { broker in
            let refusals: [(limit: UInt32, method: String?, code: ReasonCode, hasReason: Bool)] = [
                (30, "NOBODY-KNOWS", .badAuthenticationMethod, false),
                (100, "NOBODY-KNOWS", .badAuthenticationMethod, true),
                (10, nil, .packetTooLarge, false),
                (16, nil, .success, false),
            ]
            for (limit, method, code, hasReason) in refusals {
                let client = try await RawClient.open(broker)
                var connect = Connect(version: .v5, clientID: "a")
                connect.properties.maximumPacketSize = limit
                connect.properties.authenticationMethod = method
                let answer = try await client.handshake(connect)
                #expect(answer.reasonCode == code)
                #expect((answer.properties.reasonString != nil) == hasReason)
            }
        }
    }

    @Test("A small maximum packet size is announced and held [MQTT-3.2.2-15, section 3.1.2.11.4]")
    func smallPackets() async throws {
        try await withBroker({ $0.maximumPacketSize = 30 }) { broker in
            let client = try await RawClient.open(broker)
            let answer = try await client.handshake(Connect(version: .v5, clientID: "a"))
            #expect(answer.properties.maximumPacketSize == 30)
            let fits = String(repeating: "x", count: 22)
            #expect(try await client.publish("t", fits, qos: .atLeastOnce) == .noMatchingSubscribers)
            try await client.send(
                .publish(Publish(topic: "t", payload: ByteBuffer(string: fits + "x"), qos: .atLeastOnce, packetID: 1)))
            #expect(try await client.closed() == .packetTooLarge)
        }
    }

    @Test("Connections that never finish their WebSocket handshake count among those that are taken")
    func unfinishedHandshakes() async throws {
        try await withBroker {
            $0.threads = 1
            $0.maximumConnections = 1
            $0.listeners = [.webSocket()]
        } _: { broker in
            let port = broker.port
            // One has room, and some more would be told that they have none.
            var silent: [any Channel] = []
            for _ in 0..<33 { silent.append(try await RawBytes.connect(port)) }
            // Long before a handshake runs out of time.
            let clock = ContinuousClock()
            let took = try await clock.measure {
                _ = try await RawBytes.exchange(port, Array("GET /mqtt HTTP/1.1\r\n".utf8))
            }
            #expect(took < .seconds(5))
            for channel in silent { try await channel.close() }
        }
    }

    @Test("A connection too many is refused with 0x97, or 0x03, and has room again when another has gone")
    func surplusConnections() async throws {
        try await withBroker({ $0.maximumConnections = 1 }) { broker in
            let first = try await RawClient.connect(broker)
            for (version, method, code) in [
                (.v5, nil, .quotaExceeded), (.v5, "SCRAM-SHA-256", .quotaExceeded), (.v3_1_1, nil, .serverUnavailable),
            ] as [(ProtocolVersion, String?, ReasonCode)] {
                let client = try await RawClient.open(broker, version: version)
                var connect = Connect(version: version, clientID: "a")
                connect.properties.authenticationMethod = method
                #expect(try await client.handshake(connect).reasonCode == code)
                #expect(try await client.next() == nil)
            }
            #expect(broker.statistics.connectionsRefused == 3)
            try await first.disconnect()
            // The broker may hear of the end a moment after the client.
            let connect = Connect(version: .v5, clientID: "a")
            while try await RawClient.open(broker).handshake(connect).reasonCode == .quotaExceeded {}
        }
    }

    @Test("A client whose last connection is still there takes its own place, and no other's")
    func ownPlace() async throws {
        try await withBroker({ $0.maximumConnections = 1 }) { broker in
            var last = try await RawClient.connect(broker, "a")
            // More often than there is room for those that are refused.
            for _ in 0..<40 {
                let next = try await RawClient.connect(broker, "a")
                #expect(try await last.closed() == .sessionTakenOver)
                last = next
            }
            await #expect(throws: RawClientError.refused(.quotaExceeded)) { try await RawClient.connect(broker, "b") }
            try await last.disconnect()
            let connect = Connect(version: .v5, clientID: "b")
            while try await RawClient.open(broker).handshake(connect).reasonCode == .quotaExceeded {}
        }
    }

    @Test("Connections too many that say nothing are few, and soon gone")
    func silentSurplus() async throws {
        try await withBroker({ $0.maximumConnections = 1 }) { broker in
            let first = try await RawClient.connect(broker)
            var silent: [any Channel] = []
            for _ in 0..<32 { silent.append(try await RawBytes.connect(broker.port)) }
            // Closed without waiting for its CONNECT.
            #expect(try await RawClient.open(broker).next() == nil)
            for channel in silent { try await channel.closeFuture.get() }
            let client = try await RawClient.open(broker)
            #expect(try await client.handshake(Connect(version: .v5, clientID: "a")).reasonCode == .quotaExceeded)
            #expect(try await first.drain().isEmpty)
        }
    }
}

extension Packet {
    fileprivate var publishID: UInt16? {
        if case .publish(let publish) = self { publish.packetID } else { nil }
    }
}
