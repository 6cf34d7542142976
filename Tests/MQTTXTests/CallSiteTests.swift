// Nothing but this: a program needs no other import.
import MQTTX
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
}
