import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

@Suite("The server's limits", .timeLimit(.minutes(1)))
struct ServerLimitsTests {
    @Test("Subscriptions made before the connection that the server does not offer are refused without being asked for")
    func notOffered() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let wildcard = try await client.subscribe("a/#") { _ in }
            let shared = try await client.subscribe("$share/g/a") { _ in }
            let plain = try await client.subscribe("a") { _ in }
            var notices = client.notices.makeAsyncIterator()
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            try await connection.accept(
                .with {
                    $0.wildcardSubscriptionAvailable = 0
                    $0.sharedSubscriptionAvailable = 0
                    $0.subscriptionIdentifierAvailable = 0
                })
            let subscribe = try await connection.grant()
            #expect(subscribe.filters.map(\.filter) == ["a"])
            #expect(subscribe.properties.subscriptionIdentifiers.isEmpty)
            try await connecting
            let refused = await expectError(.subscribeFailed) { try await wildcard.granted() }
            #expect(refused?.reasonCode == .wildcardSubscriptionsNotSupported)
            let error = await expectError(.subscribeFailed) { try await shared.granted() }
            #expect(error?.reasonCode == .sharedSubscriptionsNotSupported)
            #expect(try await plain.granted() == .atLeastOnce)
            guard case .subscriptionRefused = await notices.next() else { throw ScriptedConnection.Unexpected() }
            await client.disconnect()
        }
    }

    @Test("SUBSCRIBEs are no larger than the server takes, however many filters are restored (MQTT-3.2.2-15)")
    func packetSize() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            var subscriptions: [Subscription] = []
            for number in 0..<100 { subscriptions.append(try await client.subscribe("topic/\(number)") { _ in }) }
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            try await connection.accept(.with { $0.maximumPacketSize = 200 })
            var granted = 0
            while granted < 100 {
                let subscribe = try await connection.grant()
                var bytes = ByteBuffer()
                try PacketEncoder(version: .v5).encode(.subscribe(subscribe), into: &bytes)
                #expect(bytes.readableBytes <= 200)
                #expect(subscribe.filters.count > 1 || granted == 99)
                granted += subscribe.filters.count
            }
            try await connecting
            for subscription in subscriptions { try await subscription.granted() }
            await client.disconnect()
        }
    }

    @Test("Filters given up while away are named to a broker that kept the session, in packets of a size that it takes")
    func abandoned() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            for number in 0..<30 {
                async let subscribing = client.subscribe("topic/\(number)") { _ in }
                try await first.grant()
                _ = try await subscribing
            }
            await first.close()
            for await state in client.states where !state.isConnected { break }
            for number in 0..<30 { #expect(try await client.unsubscribe("topic/\(number)") == nil) }
            // Wanted again before the broker heard that it was not.
            let again = try await client.subscribe("topic/7") { _ in }
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true, .with { $0.maximumPacketSize = 100 })
            var told: Set<String> = []
            while told.count < 29 {
                let unsubscribe = try await second.nextUnsubscribe()
                told.formUnion(unsubscribe.filters)
                #expect(unsubscribe.filters.reduce(0) { $0 + $1.utf8.count + 2 } < 100)
            }
            #expect(!told.contains("topic/7"))
            try await second.grant()
            try await again.granted()
            await client.disconnect()
        }
    }

    @Test("What was queued meets the limits of the server that comes: each message is told how it ended")
    func queuedMessages() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            await first.close()
            for await state in client.states where !state.isConnected { break }
            let large = try await client.enqueue("a", [UInt8](repeating: 0, count: 500))
            let retained = try await client.enqueue("a", "x", retain: true)
            let exactlyOnce = try await client.enqueue("a", "x", qos: .exactlyOnce)
            let good = try await client.enqueue("a", "good", qos: .atLeastOnce)
            let second = try #require(await connections.next())
            try await second.accept(
                .with {
                    $0.maximumQoS = 1
                    $0.retainAvailable = 0
                    $0.maximumPacketSize = 100
                })
            let publish = try await second.nextPublish()
            #expect(String(buffer: publish.payload) == "good")
            try await second.send(.puback(Acknowledgement(packetID: publish.packetID)))
            #expect(try await good.outcome.get() == .success)
            for (receipt, code) in [
                (large, ErrorCode.packetTooLarge), (retained, .publishFailed), (exactlyOnce, .publishFailed),
            ] {
                await expectError(code) { try await receipt.outcome.get() }
            }
            let statistics = await client.statistics
            #expect(statistics.publishFailures == 3 && statistics.queuedOutbound == 0)
            await client.disconnect()
        }
    }

    @Test(
        "A message in flight that has become too large to be sent again ends as such, and others go on",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func resendTooLarge(qos: QoS) async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let large = try await client.enqueue("a", [UInt8](repeating: 0, count: 500), qos: qos)
            let small = try await client.enqueue("a", "small", qos: qos)
            let lost = try await first.nextPublish().packetID
            _ = try await first.nextPublish()
            await first.close()
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true, .with { $0.maximumPacketSize = 100 })
            let publish = try await second.nextPublish()
            #expect(publish.dup && String(buffer: publish.payload) == "small")
            await expectError(.packetTooLarge) { try await large.outcome.get() }
            let ack = Acknowledgement(packetID: publish.packetID)
            if qos == .atLeastOnce {
                try await second.send(.puback(ack))
            } else {
                try await second.send(.pubrec(ack))
                #expect(try await second.next() == .pubrel(ack))
                try await second.send(.pubcomp(ack))
            }
            #expect(try await small.outcome.get() == .success)
            // An identifier that the broker may hold for a message of QoS 2 gets no other message.
            if qos == .exactlyOnce {
                for _ in 0..<20 {
                    _ = try await client.enqueue("a", "next", qos: .atLeastOnce)
                    let next = try await second.nextPublish()
                    #expect(next.packetID != lost)
                    try await second.send(.puback(Acknowledgement(packetID: next.packetID)))
                }
            }
            await client.disconnect()
        }
    }

    @Test("The client takes no packet beyond the maximum that it announced")
    func ownMaximum() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.maximumPacketSize = 1_000 }
            try await connection.send(
                .publish(Publish(topic: "a", payload: ByteBuffer(repeating: 0, count: 2_000))))
            #expect(try await connection.nextDisconnect().reasonCode == .packetTooLarge)
            await client.disconnect()
        }
    }
}
