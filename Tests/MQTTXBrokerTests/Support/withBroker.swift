import MQTTXBroker

/// Runs the body with a broker of its own, which is stopped afterwards.
func withBroker(
    _ configure: (inout BrokerConfig) throws -> Void = { _ in }, _ body: (Broker) async throws -> Void
) async throws {
    var config = BrokerConfig()
    config.threads = 2
    try configure(&config)
    let broker = try await Broker.start(config)
    do {
        try await body(broker)
    } catch {
        try await broker.stop()
        throw error
    }
    try await broker.stop()
}
