// Of this project nothing but this: a program needs no other import.
import MQTTX
import Synchronization
import Testing

private struct AddParams: Codable { let a, b: Int }
private struct Sum: Codable, Equatable { let value: Int }
private struct DeviceConfig: Codable, Equatable {
    let interval: Int
    let servers: [String]
}

@Suite(.timeLimit(.minutes(1))) struct CallSiteTests {
    @Test("Handlers and calls need no annotations beyond those of the types they use")
    func callSites() async throws {
        try await TestBroker.run { broker in
            let client = try await broker.connect("device")
            let topic = TestBroker.topic()
            let rpc = try await ConventionalRPCManager(client, myTopic: topic) { rpc in
                rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
                rpc.register("homogeneous") { (params: JSONValue) in ["status": "online"] }
                rpc.register("inferred") { params in ["got": params, "n": 1] }
                rpc.register("add") { (p: AddParams) async throws -> Sum in Sum(value: p.a + p.b) }
                rpc.register("add_sync") { (p: AddParams) in Sum(value: p.a + p.b) }
                rpc.register("numbers") { (p: [Int]) in p.reduce(0, +) }
                rpc.register("maybe") { (p: Int?) -> Sum? in p.map { Sum(value: $0) } }
                rpc.register("whoami") { (_: JSONValue, request: RPCRequest) in .string(request.callerID) }
                rpc.register("whoami_typed") { (p: AddParams, request: RPCRequest) in request.callerID }
                rpc.register("no_params") { ["a": 1, "b": "two"] }
                rpc.register("no_params_typed") { DeviceConfig(interval: 60, servers: ["s1"]) }
                rpc.register("log") { (p: AddParams) in _ = p.a }
                rpc.register("log_async") { (p: JSONValue) async throws in try await Task.sleep(for: .zero) }
                rpc.register("reset") { () async throws -> Void in try Task.checkCancellation() }
                rpc.register("block") { (params: JSONValue) in
                    guard let x = params["x"].intValue else { throw MQTTXError(.invalidRPCRequest, "no x") }
                    return ["x": .int(Int64(x) * 2)]
                }
            }
            let status = try await rpc.call(topic, "get_status")
            #expect(status == ["status": "online", "cpu": 45.2])
            #expect(try await rpc.call(topic, "homogeneous") == ["status": "online"])
            #expect(try await rpc.call(topic, "inferred", params: [1, "x"]) == ["got": [1, "x"], "n": 1])
            let sum: Sum = try await rpc.call(topic, "add", params: AddParams(a: 1, b: 2))
            #expect(sum == Sum(value: 3))
            let again: Sum = try await rpc.call(topic, "add_sync", params: ["a": 1, "b": 4], timeout: .seconds(5))
            #expect(again.value == 5)
            let number: Int = try await rpc.call(topic, "numbers", params: [1, 2, 3])
            #expect(number == 6)
            let none: Sum? = try await rpc.call(topic, "maybe")
            #expect(none == nil)
            let name: String = try await rpc.call(topic, "whoami")
            #expect(name == client.clientID)
            #expect(try await rpc.call(topic, "whoami_typed", params: AddParams(a: 0, b: 0)) == .string(name))
            #expect(try await rpc.call(topic, "no_params") == ["a": 1, "b": "two"])
            let settings: DeviceConfig = try await rpc.call(topic, "no_params_typed")
            #expect(settings == DeviceConfig(interval: 60, servers: ["s1"]))
            #expect(try await rpc.call(topic, "log", params: ["a": 1, "b": 2]).isNull)
            try await rpc.call(topic, "log_async")
            try await rpc.call(topic, "reset", params: nil)
            #expect(try await rpc.call(topic, "block", params: ["x": 21])["x"].intValue == 42)
        }
    }

    @Test("RPC in full control of its topics, as in Python")
    func fullControl() async throws {
        try await TestBroker.run { broker in
            let client = try await broker.connect("device")
            let (mine, theirs) = (TestBroker.topic("server"), TestBroker.topic("bots"))
            let rpc = RPCManager(client)
            rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
            try await client.subscribe(mine, rpc.handleRPCMessage)
            let peer = RPCManager(try await broker.connect("peer"))
            peer.register("get_data") { ["data": [1, 2, 3]] }
            try await peer.client.subscribe(theirs, peer.handleRPCMessage)
            let result = try await rpc.call(theirs, "get_data", timeout: .seconds(5), replyTo: mine)
            #expect(result == ["data": [1, 2, 3]])
            // Without a reply topic the inbox is subscribed to by the first call.
            #expect(try await peer.call(mine, "get_status")["status"] == "online")
            let setUp = RPCManager(try await broker.connect("third"))
            try await setUp.setup(replyTopic: TestBroker.topic("replies"))
            #expect(try await setUp.call(mine, "get_status")["cpu"] == 45.2)
        }
    }

    @Test("The scoped client, events and payload types come with the one import")
    func scoped() async throws {
        try await TestBroker.run { broker in
            var config = MQTTConfig(brokerHost: "localhost", brokerPort: broker.port)
            config.tls = TLSConfig(enabled: false)
            config.brokerHost = "127.0.0.1"
            let topic = TestBroker.topic()
            let text = try await MQTTClient.withConnection(config) { client in
                let events = EventChannelManager(client)
                let (stream, continuation) = AsyncStream.makeStream(of: String.self)
                try await events.subscribe("\(topic)/+") { topic, event in continuation.yield(event.eventType) }
                try await events.publish(
                    "\(topic)/x", EventMessage(eventType: "temperature.changed", data: ["value": 25.5]))
                let payload = ByteBuffer(string: "bytes")
                #expect(payload.readableBytes == 5)
                #expect(String(buffer: payload) == "bytes")
                for await first in stream { return first }
                return ""
            }
            #expect(text == "temperature.changed")
        }
    }

    @Test("A program as the design shows it, and as a newcomer writes it")
    func program() async throws {
        try await TestBroker.run { broker in
            let config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: broker.port, clientID: "device_123")
            let (room, mine) = (TestBroker.topic("sensors"), TestBroker.topic("edge"))
            try await MQTTClient.withConnection(config) { client in
                let seen = Mutex<[String]>([])
                let subscription = try await client.subscribe("\(room)/#") { message in
                    seen.withLock { $0.append(message.string ?? "") }
                }
                try await client.subscribe("\(room)/+") { topic, payload in
                    seen.withLock { $0.append("\(topic): \(payload.readableBytes)") }
                }
                try await client.subscribe(room, blocking: true) { message in _ = message.payload }
                try await client.publish("\(room)/temperature", "25.5", qos: .atLeastOnce)
                try await client.publish("\(room)/temperature", [1, 2, 3])
                try await client.publish("\(room)/temperature", ByteBuffer(string: "x"), retain: false)
                let receipt = try await client.enqueue("\(room)/humidity", "60", qos: .atLeastOnce)
                switch try await receipt.outcome {
                case .delivered(let answer): #expect(answer.reasonCode == .success)
                case .failed(let error): throw error
                }
                #expect(subscription.filter == "\(room)/#" && subscription.grantedQoS == .atLeastOnce)
                #expect(client.isConnected && client.server?.version == .v5)

                let publishing = Task {
                    while !Task.isCancelled { try await client.publish("\(room)/alerts", "!", qos: .atLeastOnce) }
                }
                for try await message in client.messages("\(room)/alerts") {
                    #expect(message.topic.hasSuffix("alerts"))
                    break
                }
                publishing.cancel()

                let rpc = try await ConventionalRPCManager(client, myTopic: mine) { rpc in
                    rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
                    rpc.register("add") { (p: AddParams) async throws -> Sum in Sum(value: p.a + p.b) }
                }
                let sum: Sum = try await rpc.call(mine, "add", params: ["a": 1, "b": 2], timeout: .seconds(5))
                #expect(sum.value == 3)
                do {
                    try await rpc.call(mine, "unknown")
                    Issue.record("answered")
                } catch ErrorCode.methodNotFound {
                } catch let error as MQTTXError {
                    Issue.record("\(error.code) \(error.category) \(error.message)")
                }

                let events = EventChannelManager(client)
                try await events.subscribe("\(room)/+/temperature") { topic, event in _ = (topic, event.data["value"]) }
                try await events.publish(
                    "\(room)/room1/temperature", EventMessage(eventType: "temperature.changed", data: ["value": 25.5]))
                try await events.publish("\(room)/room1/temperature", ["value": 60.2, "unit": "%"])
                try await subscription.cancel()
                await rpc.close()
            }
        }
    }

    @Test("Every field of the configuration tables has its name and default")
    func configuration() {
        var config = MQTTConfig(
            brokerHost: "h", brokerPort: 8883, clientID: "c", keepAlive: .seconds(30), cleanSession: true,
            tls: TLSConfig(enabled: true), auth: AuthConfig(username: "u", password: "p"),
            reconnect: ReconnectConfig(
                enabled: true, interval: .seconds(1), maxAttempts: 2, backoffMultiplier: 2, maxInterval: .seconds(9)),
            maxQueuedMessages: 7, maxPayloadSize: 8, messageQueueMaxSize: 9, numWorkers: 10)
        config.sessionExpiry = .seconds(1)
        let plain = MQTTConfig()
        #expect(plain.brokerHost == "localhost" && plain.brokerPort == 1883 && plain.clientID.isEmpty)
        #expect(plain.keepAlive == .seconds(60) && !plain.cleanSession && plain.maxQueuedMessages == 0)
        #expect(plain.maxPayloadSize == 1024 * 1024 && plain.messageQueueMaxSize == 100_000 && plain.numWorkers == nil)
        #expect(plain.maxQueuedBytes == 64 * 1024 * 1024)
        #expect(!plain.tls.enabled && plain.tls.verifyMode == .required && plain.tls.checkHostname)
        #expect(plain.tls.caCerts == nil && plain.tls.certFile == nil && plain.tls.keyFile == nil)
        #expect(plain.reconnect == ReconnectConfig())
        #expect(plain.reconnect.enabled && plain.reconnect.interval == .seconds(5) && plain.reconnect.maxAttempts == 0)
        #expect(plain.reconnect.backoffMultiplier == 1.5 && plain.reconnect.maxInterval == .seconds(60))
        let rpc = RPCConfig()
        #expect(rpc.defaultTimeout == .seconds(30) && rpc.maxConcurrentCalls == 100)
    }

    @Test(
        "Errors have the numbers and families that they have in Python, and print with their names",
        arguments: [
            (ErrorCode.notConnected, 1001, "NOT_CONNECTED", MQTTXError.Category.connection),
            (.connectionFailed, 1002, "CONNECTION_FAILED", .connection),
            (.connectionLost, 1003, "CONNECTION_LOST", .connection),
            (.subscribeFailed, 1004, "SUBSCRIBE_FAILED", .connection),
            (.publishFailed, 1005, "PUBLISH_FAILED", .connection),
            (.sessionTakenOver, 1006, "SESSION_TAKEN_OVER", .connection),
            (.tlsFailed, 1007, "TLS_FAILED", .connection), (.queueFull, 1008, "QUEUE_FULL", .connection),
            (.connectionTimeout, 1009, "CONNECTION_TIMEOUT", .connection),
            (.invalidJSON, 2001, "INVALID_JSON", .message),
            (.invalidUTF8, 2002, "INVALID_UTF8", .message), (.payloadTooLarge, 2003, "PAYLOAD_TOO_LARGE", .message),
            (.invalidMessageType, 2004, "INVALID_MESSAGE_TYPE", .message),
            (.missingRequiredField, 2005, "MISSING_REQUIRED_FIELD", .message),
            (.encodingFailed, 2006, "ENCODING_FAILED", .message), (.decodingFailed, 2007, "DECODING_FAILED", .message),
            (.packetTooLarge, 2008, "PACKET_TOO_LARGE", .message), (.invalidTopic, 2009, "INVALID_TOPIC", .message),
            (.protocolViolation, 2010, "PROTOCOL_VIOLATION", .message),
            (.methodNotFound, 3001, "METHOD_NOT_FOUND", .rpc),
            (.rpcTimeout, 3002, "RPC_TIMEOUT", .rpc), (.rpcExecutionError, 3003, "RPC_EXECUTION_ERROR", .rpc),
            (.tooManyPendingCalls, 3004, "TOO_MANY_PENDING_CALLS", .rpc),
            (.invalidRPCRequest, 3005, "INVALID_RPC_REQUEST", .rpc),
            (.invalidRPCResponse, 3006, "INVALID_RPC_RESPONSE", .rpc),
            (.permissionDenied, 4001, "PERMISSION_DENIED", .permission),
            (.authenticationFailed, 4002, "AUTHENTICATION_FAILED", .permission),
        ] as [(ErrorCode, Int, String, MQTTXError.Category)])
    func codes(code: ErrorCode, number: Int, name: String, category: MQTTXError.Category) {
        let error = MQTTXError(code, "words")
        #expect(code.rawValue == number && code.name == name && ErrorCode(name: name) == code)
        #expect(error.category == category && "\(error)" == "[\(name)] words")
        #expect(!MQTTXError(code, "").message.isEmpty)
    }
}
