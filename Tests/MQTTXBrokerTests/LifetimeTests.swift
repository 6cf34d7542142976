import MQTTCore
import NIOCore
import Testing

@testable import MQTTXBroker

@Suite("Lifetime of a broker", .timeLimit(.minutes(2)))
struct LifetimeTests {
    /// What a broker is made of, without holding any of it.
    private struct Parts {
        weak var core: BrokerCore?
        weak var loop: BrokerLoop?
        weak var eventLoop: (any EventLoop)?
        weak var session: Session?

        init(_ broker: Broker) {
            core = broker.core
            loop = broker.loops[0]
            eventLoop = broker.loops[0].eventLoop
            session = broker.core.sessions.all.first
        }

        /// Threads and tasks that end may hold them for a moment longer.
        func untilGone() async throws {
            while core != nil || loop != nil || eventLoop != nil || session != nil {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
    }

    @Test("Nothing of a broker that was stopped is left, event loops and sessions included")
    func nothingIsLeft() async throws {
        try await used().untilGone()
    }

    /// A broker that has had two clients.
    private func used() async throws -> Parts {
        var config = BrokerConfig()
        config.threads = 2
        let broker = try await Broker.start(config)
        let subscriber = try await RawClient.connect(broker)
        try await subscriber.subscribe("t", .init(qos: .atLeastOnce))
        let publisher = try await RawClient.connect(broker)
        try await publisher.publish("t", qos: .atLeastOnce, retain: true)
        let parts = Parts(broker)
        #expect(parts.session != nil)
        try await broker.stop()
        return parts
    }
}
