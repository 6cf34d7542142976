import MQTTCore
import MQTTXBroker
import Synchronization
import Testing

@Suite("Access that changes", .timeLimit(.minutes(2)))
struct RevocationTests {
    /// What may be read; the rest is free.
    private final class Readers: Authorizer {
        private let forbidden = Mutex<Set<String>>([])

        func forbid(_ topic: String) { forbidden.withLock { _ = $0.insert(topic) } }

        func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool { true }
        func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool { true }
        func mayReceive(_ topic: String, by client: ClientIdentity) -> Bool {
            forbidden.withLock { !$0.contains(topic) }
        }
    }

    @Test("What waits for a client that is away, and may not be read any more, is dropped and counted")
    func awayAndRevoked() async throws {
        let readers = Readers()
        try await withBroker({ $0.authorizer = readers }) { broker in
            let reader = try await RawClient.resume(broker, "reader")
            try await reader.subscribe("#")
            try await reader.disconnect()
            let writer = try await RawClient.connect(broker)
            for topic in ["one", "two", "one"] { try await writer.publish(topic, topic, qos: .atLeastOnce) }
            readers.forbid("two")
            broker.accessRulesChanged()
            #expect(broker.statistics.messagesDropped == 1)
            #expect(try await RawClient.resume(broker, "reader").texts(2) == ["one", "one"])
        }
    }

    @Test("What waits behind a full window, and may not be read any more, does not follow")
    func connectedAndRevoked() async throws {
        let readers = Readers()
        try await withBroker({ $0.authorizer = readers }) { broker in
            let reader = try await RawClient.connect(broker, "reader") { $0.receiveMaximum = 1 }
            try await reader.subscribe("#", .init(qos: .atLeastOnce))
            let writer = try await RawClient.connect(broker)
            for topic in ["one", "two", "three"] { try await writer.publish(topic, topic, qos: .atLeastOnce) }
            let first = try await reader.message()
            readers.forbid("two")
            broker.accessRulesChanged()
            try await reader.send(.puback(Acknowledgement(packetID: first.packetID)))
            #expect(try await reader.message().text == "three")
        }
    }

    /// Lets everybody in under their own names.
    private struct Everybody: Authenticator {
        func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult { .accepted() }
    }

    @Test("A session is its user's: another one with the same client identifier starts afresh (5.0, 5.4.2)")
    func sessionOfAnother() async throws {
        try await withBroker({ $0.authenticator = Everybody() }) { broker in
            func connect(_ user: String?) async throws -> (client: RawClient, isPresent: Bool) {
                let client = try await RawClient.open(broker)
                var connect = Connect(version: .v5, cleanStart: false, clientID: "shared", username: user)
                connect.properties.sessionExpiryInterval = 100
                return (client, try await client.handshake(connect).sessionPresent)
            }
            let ann = try await connect("ann")
            try await ann.client.subscribe("t")
            try await ann.client.disconnect()
            let writer = try await RawClient.connect(broker)
            try await writer.publish("t", "for ann", qos: .atLeastOnce)
            let again = try await connect("ann")
            #expect(again.isPresent)
            let message = try await again.client.message()
            #expect(message.text == "for ann")
            try await again.client.disconnect()
            let bob = try await connect("bob")
            #expect(!bob.isPresent)
            #expect(try await bob.client.drain().isEmpty)
            try await bob.client.disconnect()
            try await connect("caf\u{E9}").client.disconnect()
            let lookalike = try await connect("cafe\u{301}")
            #expect(!lookalike.isPresent)
            try await lookalike.client.disconnect()
            #expect(try await !connect(nil).isPresent)
        }
    }
}
