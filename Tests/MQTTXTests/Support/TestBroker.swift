import Foundation
import MQTTX
import MQTTXBroker
import Synchronization

/// A broker for one test, and the clients that it connected. `MQTTXX_TEST_BROKER=PORT` in the environment takes one that
/// runs already on this machine.
final class TestBroker: Sendable {
    let port: Int
    let broker: Broker?
    private let clients = Mutex<[MQTTClient]>([])

    private init(_ broker: Broker?, port: Int) {
        self.broker = broker
        self.port = port
    }

    static func run(
        _ config: BrokerConfig = BrokerConfig(), _ body: (TestBroker) async throws -> Void
    ) async throws {
        let external = ProcessInfo.processInfo.environment["MQTTXX_TEST_BROKER"].flatMap { Int($0) }
        let broker = external == nil ? try await Broker.start(config) : nil
        let test = TestBroker(broker, port: external ?? broker?.port ?? 0)
        let result: Result<Void, any Error>
        do { result = .success(try await body(test)) } catch { result = .failure(error) }
        for client in test.clients.withLock({ $0 }) { await client.disconnect() }
        try await broker?.stop()
        try result.get()
    }

    func client(_ id: String = "", _ change: (inout MQTTConfig) -> Void = { _ in }) -> MQTTClient {
        // Tests run at once and may share a broker.
        let id = id.isEmpty ? "" : "\(id)-\(UInt32.random(in: 0 ... .max))"
        var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: port, clientID: id)
        config.reconnect.interval = .milliseconds(20)
        change(&config)
        let client = MQTTClient(config)
        clients.withLock { $0.append(client) }
        return client
    }

    func connect(_ id: String = "", _ change: (inout MQTTConfig) -> Void = { _ in }) async throws -> MQTTClient {
        let client = client(id, change)
        try await client.connect()
        return client
    }

    /// A topic that no other test has.
    static func topic(_ name: String = "t") -> String { "test/\(name)/\(UInt64.random(in: 0 ... .max))" }
}
