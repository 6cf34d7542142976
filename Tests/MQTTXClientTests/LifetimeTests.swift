import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

@Suite("Lifetime of a client", .timeLimit(.minutes(1)))
struct LifetimeTests {
    /// What a client is made of, without holding any of it.
    private struct Parts {
        weak var core: ClientCore?
        weak var registry: SubscriptionRegistry?
        weak var dispatch: DispatchQueue?
        weak var acknowledgements: AcknowledgementQueue?

        init(_ core: ClientCore) {
            self.core = core
            registry = core.registry
            dispatch = core.dispatch
            acknowledgements = core.acknowledgements
        }

        /// The event loop and tasks that end may hold them for a moment longer.
        func untilGone() async throws {
            while core != nil || registry != nil || dispatch != nil || acknowledgements != nil {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
    }

    @Test(
        "Nothing of a client that nobody holds any more is left, whatever it did before",
        arguments: [AcknowledgementMode.afterHandler, .manual])
    func nothingIsLeft(mode: AcknowledgementMode) async throws {
        try await ScriptedBroker.run { broker, connections in
            try await used(mode, broker, connections).untilGone()
        }
    }

    /// A client that has connected, received and disconnected.
    private func used(
        _ mode: AcknowledgementMode, _ broker: ScriptedBroker, _ connections: ScriptedConnections
    ) async throws -> Parts {
        let (client, connection) = try await broker.connect(connections) { $0.acknowledgement = mode }
        async let subscribing = client.subscribe("a") { (message: MQTTMessage) in message.acknowledge() }
        try await connection.grant()
        _ = try await subscribing
        try await connection.send(
            .publish(Publish(topic: "a", payload: ByteBuffer(string: "x"), qos: .atLeastOnce, packetID: 1)))
        #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
        await client.disconnect()
        return Parts(client.core)
    }

    @Test("Nothing is left of a client that never connected")
    func neverConnected() async throws {
        try await Parts(MQTTClient(MQTTConfig()).core).untilGone()
    }
}
