import Logging
import MQTTCore
import NIOCore
import ServiceLifecycle
import Testing

@testable import MQTTXClient

@Suite("As a service", .timeLimit(.minutes(1)))
struct ServiceTests {
    private func group(_ client: MQTTClient) -> ServiceGroup {
        ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: client)], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    @Test("A graceful shutdown lets what is in flight reach the broker, says goodbye and returns")
    func gracefulShutdown() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let group = group(client)
            let running = Task { try await group.run() }
            let connection = try #require(await connections.next())
            try await connection.accept()
            for await state in client.states where state.isConnected { break }
            let receipt = try await client.enqueue("a", "1", qos: .atLeastOnce)
            let id = try await connection.nextPublish().packetID
            await group.triggerGracefulShutdown()
            try await connection.send(.puback(Acknowledgement(packetID: id)))
            #expect(try await connection.nextDisconnect().reasonCode == .success)
            try await running.value
            #expect(try await receipt.outcome.get() == .success)
            #expect(!client.isConnected)
        }
    }

    @Test("A graceful shutdown does not wait for the next attempt to connect")
    func shutdownWhileWaiting() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.reconnect.interval = .seconds(3_600) })
            let group = group(client)
            let running = Task { try await group.run() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            await connection.close()
            for await state in client.states { if case .waiting = state { break } }
            await group.triggerGracefulShutdown()
            try await running.value
            guard case .disconnected = client.state else { throw ScriptedConnection.Unexpected() }
        }
    }

    @Test("Without a broker at the start it keeps trying until there is one")
    func noBrokerAtStart() async throws {
        var port = 0
        try await ScriptedBroker.run { broker, _ in port = broker.port }
        var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: port, clientID: "scripted", version: .v5)
        config.reconnect.interval = .milliseconds(20)
        config.reconnect.maxInterval = .milliseconds(20)
        let client = MQTTClient(config)
        let group = group(client)
        let running = Task { try await group.run() }
        for await state in client.states { if case .connecting(attempt: 3...) = state { break } }
        try await ScriptedBroker.run(port: port) { _, connections in
            try await #require(await connections.next()).accept()
            for await state in client.states where state.isConnected { break }
            await group.triggerGracefulShutdown()
            try await running.value
        }
    }

    @Test("What makes another attempt senseless ends the service with its error")
    func endsWithError() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let running = Task { try await client.run() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(.connack(ConnAck(reasonCode: .banned)))
            let error = await #expect(throws: MQTTXError.self) { try await running.value }
            #expect(error?.reasonCode == .banned)
        }
    }
}
