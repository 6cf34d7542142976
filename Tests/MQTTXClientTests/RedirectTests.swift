import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

@Suite("Server redirection (MQTT 5.0, 4.11)", .timeLimit(.minutes(1)))
struct RedirectTests {
    private func reference(_ port: Int) -> Properties { .with { $0.serverReference = "127.0.0.1:\(port)" } }

    @Test(
        "A server that moved is followed, and those who observe the connection are told",
        arguments: [ReasonCode.useAnotherServer, .serverMoved])
    func disconnected(code: ReasonCode) async throws {
        try await ScriptedBroker.run { target, targetConnections in
            try await ScriptedBroker.run { broker, connections in
                let (client, first) = try await broker.connect(connections)
                let log = Log<Bool>()
                _ = client.observe { if case .disconnected(let willReconnect, _) = $0 { log.add(willReconnect) } }
                var notices = client.notices.makeAsyncIterator()
                try await first.send(.disconnect(Disconnect(reasonCode: code, properties: reference(target.port))))
                let second = try #require(await targetConnections.next())
                try await second.accept()
                #expect(await log.next(1) == [true])
                guard case .connectionLost(let error) = await notices.next() else {
                    throw ScriptedConnection.Unexpected()
                }
                #expect(error.reasonCode == code)
                await client.disconnect()
            }
        }
    }

    @Test("A CONNACK that names another server is followed as well")
    func refused() async throws {
        try await ScriptedBroker.run { target, targetConnections in
            try await ScriptedBroker.run { broker, connections in
                let client = MQTTClient(broker.config())
                async let connecting: Void = client.connect()
                let first = try #require(await connections.next())
                _ = try await first.nextConnect()
                try await first.send(
                    .connack(ConnAck(reasonCode: .useAnotherServer, properties: reference(target.port))))
                try await #require(await targetConnections.next()).accept()
                try await connecting
                #expect(client.isConnected)
                await client.disconnect()
            }
        }
    }

    @Test("Servers that send each other's clients round are followed so often and no more", arguments: [0, 2])
    func bounded(limit: Int) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.maxRedirects = limit
                    $0.reconnect.enabled = false
                })
            let connecting = Task { try await client.connect() }
            for number in 0...limit {
                let connection = try #require(await connections.next())
                _ = try await connection.nextConnect()
                let refusal = ConnAck(reasonCode: .serverMoved, properties: reference(broker.port))
                // Taking the client in for a moment starts no new count.
                if number == 1 {
                    try await connection.send(.connack(ConnAck()))
                    try await connection.send(
                        .disconnect(Disconnect(reasonCode: .serverMoved, properties: reference(broker.port))))
                } else {
                    try await connection.send(.connack(refusal))
                }
            }
            if limit == 0 {
                let error = await #expect(throws: MQTTXError.self) { try await connecting.value }
                #expect(error?.reasonCode == .serverMoved)
                #expect(error?.properties.serverReference == "127.0.0.1:\(broker.port)")
            } else {
                for await state in client.states { if case .disconnected(_?) = state { break } }
            }
        }
    }

    @Test("When there is no connecting to the other server, the configured one is tried again")
    func fallsBack() async throws {
        var deadPort = 0
        try await ScriptedBroker.run { broker, _ in deadPort = broker.port }
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            try await first.send(.disconnect(Disconnect(reasonCode: .serverMoved, properties: reference(deadPort))))
            try await #require(await connections.next()).accept(sessionPresent: true)
            for await state in client.states where state.isConnected { break }
            await client.disconnect()
        }
    }

    @Test(
        "Server References are read, and what can't be understood is not followed",
        arguments: [
            ("host", "host", 1883), ("host:99", "host", 99), ("[fe80::1]:99", "fe80::1", 99),
            ("[fe80::1]", "fe80::1", 1883),
            ("fe80::1", "fe80::1", 1883), ("first:1 second:2", "first", 1), ("", nil, 0), ("host:0", nil, 0),
            ("host:70000", nil, 0), ("host:x", nil, 0), (":99", nil, 0), ("[]", nil, 0), ("[::1]x", nil, 0),
        ] as [(String, String?, Int)])
    func reference(text: String, host: String?, port: Int) {
        let error = MQTTXError(
            .connectionFailed, "moved", reasonCode: .serverMoved, properties: .with { $0.serverReference = text })
        let redirect = Redirect(error, defaultPort: 1883)
        #expect(redirect?.host == host)
        if host != nil { #expect(redirect?.port == port) }
    }
}
