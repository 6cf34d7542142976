import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTXClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite("Connecting", .timeLimit(.minutes(1)))
struct ConnectingTests {
    @Test("A client is connected when the CONNACK says so, and the CONNECT carries its configuration")
    func connects() async throws {
        try await ScriptedBroker.run { broker, connections in
            let config = broker.config {
                $0.auth = AuthConfig(username: "user", password: "secret")
                $0.keepAlive = .seconds(7)
                $0.will = Will(topic: "gone", payload: ByteBuffer(string: "bye"), qos: .atLeastOnce, retain: true)
            }
            let client = MQTTClient(config)
            #expect(!client.isConnected)
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            let connect = try await connection.nextConnect()
            #expect(!client.isConnected)
            try await connection.send(.connack(ConnAck()))
            try await connecting
            #expect(client.isConnected)
            #expect(connect.clientID == "scripted")
            #expect(connect.version == .v5)
            #expect(connect.username == "user")
            #expect(connect.password == ByteBuffer(string: "secret"))
            #expect(connect.keepAlive == 7)
            #expect(connect.will?.topic == "gone")
            #expect(connect.properties.sessionExpiryInterval == 3_600)
            await client.disconnect()
            guard case .disconnect(let disconnect) = try await connection.next() else {
                throw ScriptedConnection.Unexpected()
            }
            #expect(disconnect.reasonCode == .success)
            #expect(!client.isConnected)
        }
    }

    #if os(Linux)
        @Test(
            "TCP gives a silent peer as long as a ping and its answer may take; without keep alive, as long as it likes"
        )
        func userTimeout() async throws {
            try await ScriptedBroker.run { broker, connections in
                for (keepAlive, milliseconds) in [(Duration.seconds(7), 10_500), (.zero, 0)] {
                    let (client, _) = try await broker.connect(connections) {
                        $0.keepAlive = keepAlive
                        $0.operationTimeout = .milliseconds(3_500)
                    }
                    let core = client.core
                    let channel = try await core.eventLoop.submit { core.current.value?.connection?.channel }.get()
                    let option = ChannelOptions.Types.SocketOption(
                        level: .tcp, name: .init(rawValue: CInt(TCP_USER_TIMEOUT)))
                    #expect(try await channel?.getOption(option).get() == SocketOptionValue(milliseconds))
                    await client.disconnect()
                }
            }
        }
    #endif

    @Test("A broker of 3.1.1 is met with 3.1.1", arguments: ["0x01", "0x84", "close"])
    func fallsBack(answer: String) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.version = nil })
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            #expect(try await first.nextConnect().version == .v5)
            switch answer {
            case "0x01": try await first.send(ByteBuffer(bytes: [0x20, 2, 0, 1]))
            case "0x84": try await first.send(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
            default: break
            }
            await first.close()
            let second = try #require(await connections.next())
            #expect(try await second.accept().version == .v3_1_1)
            try await connecting
            #expect(client.protocolVersion == .v3_1_1)
            await client.disconnect()
        }
    }

    @Test("A version that was set is never changed")
    func doesNotFallBack() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let connecting = Task { try await client.connect() }
            let first = try #require(await connections.next())
            _ = try await first.nextConnect()
            try await first.send(.connack(ConnAck(reasonCode: .unsupportedProtocolVersion)))
            await #expect(throws: MQTTXError.self) { try await connecting.value }
        }
    }

    @Test("An answer in the form of 3.1.1 is told from nonsense where 5.0 was set", arguments: [0, 1, 5] as [UInt8])
    func answersInOlderForm(code: UInt8) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let connecting = Task { try await client.connect() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(ByteBuffer(bytes: [0x20, 2, 0, code]))
            let error = await expectError(.connectionFailed) { try await connecting.value }
            #expect(error?.message.contains("3.1.1") == true)
        }
    }

    @Test(
        "A refusal says why",
        arguments: [
            (ReasonCode.badUserNameOrPassword, ErrorCode.authenticationFailed),
            (.notAuthorized, .authenticationFailed), (.badAuthenticationMethod, .authenticationFailed),
            (.serverBusy, .connectionFailed), (.packetTooLarge, .packetTooLarge),
        ])
    func refused(reason: ReasonCode, code: ErrorCode) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let connecting = Task { try await client.connect() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(.connack(ConnAck(reasonCode: reason)))
            let error = await #expect(throws: MQTTXError.self) { try await connecting.value }
            #expect(error?.code == code)
            #expect(error?.reasonCode == reason)
        }
    }

    @Test("Nobody listens: the error names the address and comes at once")
    func refusedConnection() async throws {
        var port = 0
        try await ScriptedBroker.run { broker, _ in port = broker.port }
        let client = MQTTClient(MQTTConfig(brokerHost: "127.0.0.1", brokerPort: port))
        let error = await #expect(throws: MQTTXError.self) { try await client.connect() }
        #expect(error?.code == .connectionFailed)
        #expect(error?.message.contains("127.0.0.1:\(port)") == true)
    }

    @Test("As a service it keeps trying from the first connection on, and ends when it is cancelled")
    func service() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let running = Task { try await client.run() }
            let first = try #require(await connections.next())
            _ = try await first.nextConnect()
            try await first.send(.connack(ConnAck(reasonCode: .serverBusy)))
            let second = try #require(await connections.next())
            try await second.accept()
            for await state in client.states where state.isConnected { break }
            await expectError(.connectionFailed) { try await client.run() }
            running.cancel()
            await #expect(throws: CancellationError.self) { try await running.value }
            #expect(!client.isConnected)
            // It can be run again.
            async let connecting: Void = client.connect()
            try await #require(await connections.next()).accept()
            try await connecting
            await client.disconnect()
        }
    }

    @Test("Cancelling connect ends the attempt")
    func cancelled() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let connecting = Task { try await client.connect() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            connecting.cancel()
            await #expect(throws: CancellationError.self) { try await connecting.value }
            await #expect(throws: ScriptedConnection.Ended.self) { _ = try await connection.next() }
        }
    }

    @Test("A broker that never answers the CONNECT is given up in time")
    func silentBroker() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.connectTimeout = .milliseconds(200) })
            let error = await #expect(throws: MQTTXError.self) { try await client.connect() }
            #expect(error?.code == .connectionTimeout)
        }
    }

    @Test("A lost connection is made again, with credentials asked for anew, and states tell of it")
    func reconnects() async throws {
        try await ScriptedBroker.run { broker, connections in
            let asked = Atomic<Int>(0)
            let client = MQTTClient(
                broker.config {
                    $0.auth = AuthConfig {
                        let count = asked.add(1, ordering: .relaxed).newValue
                        return .init(username: "token-\(count)", password: nil)
                    }
                })
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            #expect(try await first.accept().username == "token-1")
            try await connecting
            await first.close()
            let second = try #require(await connections.next())
            #expect(try await second.accept(sessionPresent: true).username == "token-2")
            for await state in client.states where state.isConnected { break }
            #expect(client.server?.sessionPresent == true)
            await client.disconnect()
        }
    }

    @Test("Session taken over ends the client (DISCONNECT 0x8E)")
    func takenOver() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            try await first.accept()
            try await connecting
            try await first.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
            for await state in client.states {
                guard case .disconnected(let error) = state else { continue }
                #expect(error?.code == .sessionTakenOver)
                break
            }
        }
    }

    @Test("A client that was taken over can be connected again, and run as a service")
    func startsAgain() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            try await first.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
            for await state in client.states { if case .disconnected = state { break } }
            async let connecting: Void = client.connect()
            let second = try #require(await connections.next())
            try await second.accept()
            try await connecting
            #expect(client.isConnected)
            try await second.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
            for await state in client.states { if case .disconnected = state { break } }
            let running = Task { try await client.run() }
            try await #require(await connections.next()).accept()
            for await state in client.states where state.isConnected { break }
            await client.disconnect()
            try await running.value
        }
    }

    @Test("Connecting fails for whoever waits when the client is disconnected meanwhile")
    func disconnectedMeanwhile() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let tasks = (0..<2).map { _ in Task { try await client.connect() } }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            await client.disconnect()
            for task in tasks { await expectError(.notConnected) { try await task.value } }
            #expect(!client.isConnected)
        }
    }

    @Test("Whoever connects while somebody else does waits for the same connection")
    func connectsTwice() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config())
            let tasks = (0..<8).map { _ in Task { try await client.connect() } }
            try await #require(await connections.next()).accept()
            for task in tasks { try await task.value }
            #expect(client.isConnected)
            #expect(await client.statistics.connections == 1)
            await client.disconnect()
        }
    }

    @Test("With reconnecting off a lost connection ends the client, and what waits fails")
    func noReconnect() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.reconnect.enabled = false })
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            try await first.accept()
            try await connecting
            let receipt = try await client.enqueue("a", "b", qos: .atLeastOnce)
            _ = try await first.nextPublish()
            await first.close()
            guard case .failed(let error) = try await receipt.outcome else { throw ScriptedConnection.Unexpected() }
            #expect(error.code == .connectionLost)
            await expectError(.notConnected) { try await client.publish("a", "b") }
        }
    }

    @Test("A ping that is not answered ends the connection, and another is made")
    func halfOpen() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.keepAlive = .seconds(1)
                    $0.operationTimeout = .milliseconds(300)
                })
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            first.answersPings(false)
            try await first.accept()
            try await connecting
            let second = try #require(await connections.next())
            try await second.accept(sessionPresent: true)
            await client.disconnect()
        }
    }

    @Test("The server's keep alive is obeyed [MQTT-3.1.2-21, MQTT-3.2.2-21]")
    func serverKeepAlive() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.operationTimeout = .milliseconds(300) })
            async let connecting: Void = client.connect()
            let first = try #require(await connections.next())
            first.answersPings(false)
            try await first.accept(.with { $0.serverKeepAlive = 1 })
            try await connecting
            // Pings are not answered here: only a keep alive of a second leads to another connection in time.
            _ = try #require(await connections.next())
            await client.disconnect()
        }
    }

    @Test("A server that moved is followed (Server Reference)")
    func redirected() async throws {
        try await ScriptedBroker.run { target, targetConnections in
            try await ScriptedBroker.run { broker, connections in
                let client = MQTTClient(broker.config())
                async let connecting: Void = client.connect()
                let first = try #require(await connections.next())
                try await first.accept()
                try await connecting
                try await first.send(
                    .disconnect(
                        Disconnect(
                            reasonCode: .useAnotherServer,
                            properties: .with { $0.serverReference = "127.0.0.1:\(target.port)" })))
                let second = try #require(await targetConnections.next())
                try await second.accept()
                await client.disconnect()
            }
        }
    }

    @Test("A handler can disconnect its own client, which can be connected again once the handler has returned")
    func handlerDisconnects() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<Bool>()
            async let subscribing = client.subscribe("a") { _ in
                await client.disconnect(drain: .seconds(1))
                log.add(client.isConnected)
            }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(.publish(Publish(topic: "a", payload: ByteBuffer())))
            #expect(await log.next(1) == [false])
            guard case .disconnected(nil) = client.state else { throw ScriptedConnection.Unexpected() }
            async let connecting: Void = client.connect()
            let second = try #require(await connections.next())
            _ = try await second.accept()
            try await connecting
            #expect(client.isConnected)
            await client.disconnect()
        }
    }

    @Test("A task that a handler started can disconnect the client and connect it again")
    func handlersTaskReconnects() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<Bool>()
            async let subscribing = client.subscribe("a") { _ in
                // Nobody awaits it: its last word is in the log. It ends when it has connected.
                Task {
                    await client.disconnect()
                    try await client.connect()
                    log.add(client.isConnected)
                }
            }
            try await connection.grant()
            _ = try await subscribing
            try await connection.send(.publish(Publish(topic: "a", payload: ByteBuffer())))
            let second = try #require(await connections.next())
            _ = try await second.accept()
            #expect(await log.next(1) == [true])
            await client.disconnect()
        }
    }
}

extension ScriptedBroker {
    /// A connected client and the broker's end of its connection.
    func connect(
        _ connections: ScriptedConnections, properties: Properties = .init(),
        _ change: (inout MQTTConfig) -> Void = { _ in }
    ) async throws -> (MQTTClient, ScriptedConnection) {
        let client = MQTTClient(config(change))
        async let connecting: Void = client.connect()
        guard let connection = await connections.next() else { throw ScriptedConnection.Ended() }
        try await connection.accept(properties)
        try await connecting
        return (client, connection)
    }
}

extension ScriptedConnection {
    @discardableResult
    func accept(_ properties: Properties) async throws -> Connect {
        try await accept(sessionPresent: false, properties)
    }
}
