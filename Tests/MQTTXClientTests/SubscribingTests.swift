import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

@Suite("Subscribing", .timeLimit(.minutes(1)))
struct SubscribingTests {
    @Test("A refused subscription is an error where it was asked for")
    func refused() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            for (reason, code) in [
                (ReasonCode.notAuthorized, ErrorCode.permissionDenied), (.quotaExceeded, .subscribeFailed),
            ] {
                let subscribing = Task { try await client.subscribe("a") { _ in } }
                let subscribe = try await connection.nextSubscribe()
                try await connection.send(.suback(SubAck(packetID: subscribe.packetID, reasonCodes: [reason])))
                do {
                    _ = try await subscribing.value
                    Issue.record("granted")
                } catch let error as MQTTXError {
                    #expect(error.code == code)
                    #expect(error.reasonCode == reason)
                }
            }
            await client.disconnect()
        }
    }

    @Test("A subscription whose packet identifier is in use is asked for with another, but not for ever")
    func identifierInUse() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            async let granted = client.subscribe("a") { _ in }
            let first = try await connection.nextSubscribe()
            try await connection.send(
                .suback(SubAck(packetID: first.packetID, reasonCodes: [.packetIdentifierInUse])))
            let second = try await connection.grant()
            #expect(second.packetID != first.packetID && second.filters == first.filters)
            _ = try await granted

            let refused = Task { try await client.subscribe("b") { _ in } }
            for _ in 1...64 {
                let id = try await connection.nextSubscribe().packetID
                try await connection.send(.suback(SubAck(packetID: id, reasonCodes: [.packetIdentifierInUse])))
            }
            await expectError(.subscribeFailed) { try await refused.value }
            await client.disconnect()
        }
    }

    @Test(
        "A filter that breaks the rules is refused before anything is sent",
        arguments: ["a/#/b", "a#", "a+/b", "", "$share//a"])
    func invalid(filter: String) async throws {
        let client = MQTTClient(MQTTConfig())
        await expectError(.invalidTopic) { try await client.subscribe(filter) { _ in } }
    }

    @Test("Subscriptions made before the connection are asked for with it, few packets for many filters")
    func beforeConnecting() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            var subscriptions: [Subscription] = []
            for number in 0..<700 { subscriptions.append(try await client.subscribe("topic/\(number)") { _ in }) }
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            try await connection.accept()
            let first = try await connection.grant()
            let second = try await connection.grant()
            #expect(first.filters.count + second.filters.count == 700)
            try await connecting
            for subscription in subscriptions { #expect(try await subscription.granted() == .atLeastOnce) }
            await client.disconnect()
        }
    }

    @Test("Subscriptions are restored when the session is lost, and left alone when it is kept [MQTT-3.2.2-5]")
    func restored() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            async let subscribing = client.subscribe("a/#", qos: .exactlyOnce) { _ in }
            try await first.grant()
            _ = try await subscribing
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: false)
            let again = try await second.grant()
            #expect(again.filters.map(\.filter) == ["a/#"])
            #expect(again.filters.first?.options.qos == .exactlyOnce)
            await second.close()
            let third = try #require(await connections.next())
            try await third.accept(sessionPresent: true)
            for await state in client.states where state.isConnected { break }
            try await client.publish("marker", "x")
            #expect(try await third.nextPublish().topic == "marker")
            await client.disconnect()
        }
    }

    @Test("A SUBSCRIBE that was not answered is asked for again on the next connection")
    func askedAgain() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            async let subscribing = client.subscribe("a") { _ in }
            _ = try await first.nextSubscribe()
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            try await second.grant()
            #expect(try await subscribing.grantedQoS == .atLeastOnce)
            await client.disconnect()
        }
    }

    @Test("Several handlers of a filter share one subscription; the last one's end ends it")
    func severalHandlers() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<String>()
            async let adding = client.subscribe("a") { _ in log.add("one") }
            try await connection.grant()
            let one = try await adding
            let two = try await client.subscribe("a") { _ in log.add("two") }
            try await connection.send(.publish(Publish(topic: "a", payload: ByteBuffer())))
            #expect(await log.next(2) == ["one", "two"])
            try await one.cancel()
            try await connection.send(.publish(Publish(topic: "a", payload: ByteBuffer())))
            #expect(await log.next(1) == ["two"])
            async let cancelling = two.cancel()
            guard case .unsubscribe(let packet) = try await connection.next() else {
                throw ScriptedConnection.Unexpected()
            }
            #expect(packet.filters == ["a"])
            try await connection.send(.unsuback(UnsubAck(packetID: packet.packetID, reasonCodes: [.success])))
            _ = try await cancelling
            await client.disconnect()
        }
    }

    @Test("What the server does not offer is refused before it is asked")
    func notOffered() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, _) = try await broker.connect(
                connections,
                properties: .with {
                    $0.wildcardSubscriptionAvailable = 0
                    $0.sharedSubscriptionAvailable = 0
                })
            await expectError(.subscribeFailed) { try await client.subscribe("a/#") { _ in } }
            await expectError(.subscribeFailed) { try await client.subscribe("$share/g/a") { _ in } }
            await client.disconnect()
        }
    }

    @Test("A broker that does not answer is given up in time")
    func timeout() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, _) = try await broker.connect(connections) { $0.operationTimeout = .milliseconds(100) }
            await expectError(.connectionTimeout) { try await client.subscribe("a") { _ in } }
            await client.disconnect()
        }
    }

    @Test("A time that is over before the waiting begins ends it all the same")
    func noTime() async throws {
        let client = MQTTClient(MQTTConfig())
        let subscription = try await client.subscribe("a") { _ in }
        // The timer and what it ends are two tasks: either may be first.
        for _ in 0..<2_000 {
            await expectError(.connectionTimeout) { try await subscription.granted(within: .zero) }
        }
    }

    @Test("Filters that look alike but differ in their bytes are two (MQTT-4.7.3-4)")
    func bytesMatter() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<Int>()
            let filters = ["caf\u{E9}", "cafe\u{301}"]
            for (number, filter) in filters.enumerated() {
                async let subscribing = client.subscribe(filter) { _ in log.add(number) }
                #expect(try await connection.grant().filters.first?.filter.utf8.elementsEqual(filter.utf8) == true)
                _ = try await subscribing
            }
            for filter in filters + filters.reversed() {
                try await connection.send(
                    .publish(Publish(topic: filter, payload: ByteBuffer(string: "x"), qos: .atMostOnce)))
            }
            #expect(await log.next(4).sorted() == [0, 0, 1, 1])
            #expect(await client.statistics.messagesParked == 0)
            await client.disconnect()
        }
    }
}
