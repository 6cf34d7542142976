public import MQTTCore
public import MQTTXBroker
import Synchronization

/// A broker in this process on a free port, for tests, that does wrong on request.
///
/// ```swift
/// try await TestBroker.with { broker in
///     let client = MQTTClient(MQTTConfig(brokerHost: broker.host, brokerPort: broker.port))
///     …
///     await broker.dropConnections()
/// }
/// ```
public final class TestBroker: Sendable {
    /// Where it listens: 127.0.0.1.
    public let host = "127.0.0.1"
    /// The same after a ``restart()``.
    public let port: Int

    private let config: BrokerConfig
    private let current: Mutex<Broker>

    private init(broker: Broker, config: BrokerConfig) {
        port = broker.port
        self.config = config
        current = Mutex(broker)
    }

    /// Starts one. The closure may change anything but the listeners.
    ///
    /// - Throws: as ``Broker/start(_:)``, and what the closure throws.
    public static func start(_ configure: (inout BrokerConfig) throws -> Void = { _ in }) async throws -> TestBroker {
        var config = BrokerConfig()
        config.threads = 2
        try configure(&config)
        config.listeners = [.tcp()]
        let broker = try await Broker.start(config)
        config.listeners = [.tcp(port: broker.port)]
        return TestBroker(broker: broker, config: config)
    }

    /// Runs the body with a broker, which is stopped when the body returns or throws.
    public static func with<Result: Sendable>(
        _ configure: (inout BrokerConfig) throws -> Void = { _ in }, _ body: (TestBroker) async throws -> Result
    ) async throws -> Result {
        let broker = try await start(configure)
        do {
            let result = try await body(broker)
            try await broker.stop()
            return result
        } catch {
            try? await broker.stop()
            throw error
        }
    }

    /// The broker itself.
    public var broker: Broker { current.withLock { $0 } }

    /// What the broker counts.
    public var statistics: BrokerStatistics { broker.statistics }

    /// Stops the broker; clients see their connections end. Throws what ``Broker/stop()`` throws.
    public func stop() async throws { try await broker.stop() }

    // MARK: Faults

    /// Cuts all connections, or ends them with that reason code in MQTT 5.0. Clients may come back at once.
    public func dropConnections(_ code: ReasonCode? = nil) async { await broker.dropConnections(code) }

    /// Answers every CONNECT with that reason code from now on; with nil it is let in again.
    public func refuseConnections(_ code: ReasonCode?) { broker.refuseConnections(code) }

    /// Closes new connections at once, before anything is said; those that are there stay.
    public func stopAccepting(_ stops: Bool = true) { broker.stopAccepting(stops) }

    /// Stops, and starts again on the same port with nothing kept: no session, no retained message.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/connectionFailed`` if the port was taken meanwhile.
    public func restart() async throws {
        try await broker.stop()
        let new = try await Broker.start(config)
        current.withLock { $0 = new }
    }

    /// A connection to the broker that can be cut, stalled and slowed down.
    ///
    /// - Throws: as ``FaultProxy/start(host:port:)``.
    public func proxy() async throws -> FaultProxy { try await FaultProxy.start(host: host, port: port) }
}
