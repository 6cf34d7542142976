import MQTTX
import MQTTXBroker
import MQTTXTesting

// The code in documentation comments, as DocumentedCodeTests finds it there, so that it compiles.

private struct Reading: Codable { let value: Double }
private struct AddParams: Codable { let a, b: Int }
private struct Sum: Codable { let value: Int }
private struct DeviceConfig: Codable { let name: String }

private func connecting() async throws {
    try await MQTTClient.withConnection(MQTTConfig(brokerHost: "localhost")) { client in
        try await client.subscribe("sensors/#") { message in print(message.topic) }
        try await client.publish("sensors/temperature", "25.5", qos: .atLeastOnce)
    }
}

private func publishing(_ client: MQTTClient, _ readings: [String]) async throws {
    try await withTaskExecutorPreference(client.taskExecutor) {
        for reading in readings { try await client.publish("sensors/temperature", reading, qos: .atLeastOnce) }
    }
}

private func events(_ client: MQTTClient) async throws {
    let events = EventChannelManager(client)
    try await events.subscribe("sensors/+/temperature") { topic, event in print(topic, event.data["value"]) }
    try await events.publish(
        "sensors/room1/temperature", EventMessage(eventType: "temperature.changed", data: ["value": 25.5]))
}

private func readings(_ events: EventChannelManager) async throws {
    try await events.subscribe("sensors/+/temperature", as: Reading.self) { topic, reading in print(reading.value) }
}

private func conventional(_ client: MQTTClient) async throws {
    let rpc = try await ConventionalRPCManager(client, myTopic: "edge/device_123") { rpc in
        rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
    }
    let settings: DeviceConfig = try await rpc.call("cloud/config-service", "get_device_config")
    _ = settings
}

private func registering(_ rpc: RPCManager) {
    rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
    rpc.register("add") { (p: AddParams) async throws -> Sum in Sum(value: p.a + p.b) }
    rpc.register("whoami") { (_: JSONValue, request: RPCRequest) in .string(request.callerID) }
    rpc.register("reset") { print("reset") }
}

private func calling(_ client: MQTTClient) async throws {
    let rpc = RPCManager(client)
    rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
    try await client.subscribe("server/device_001", rpc.handleRPCMessage)
    let data = try await rpc.call("bots/device_002", "get_data", timeout: .seconds(5), replyTo: "server/device_001")
    _ = data
}

private func values() {
    let status: JSONValue = ["status": "online", "cpu": [45.2, 12]]
    let first = status["cpu"][0].doubleValue  // 45.2
    _ = first
}

private func authenticating(_ config: inout MQTTConfig) {
    config.authenticationMethod = SCRAMSHA256Method(username: "edge", password: "secret")
}

private func authenticating(_ config: inout BrokerConfig) throws {
    config.enhancedAuthenticators = [SCRAMSHA256(users: ["edge": try .init(password: "secret")])]
    config.authenticator = try PasswordFile(path: "/etc/mosquitto/passwd")
}

private func embedding() async throws {
    let broker = try await Broker.start()
    try await broker.stop()
}

private enum OfUsers {
    struct XORCodec: Codec {
        let key: UInt8
        func encode(_ value: JSONValue) throws -> ByteBuffer {
            ByteBuffer(bytes: try value.jsonBytes().readableBytesView.map { $0 ^ key })
        }
        func decode(_ bytes: ByteBuffer) throws -> JSONValue {
            try JSONValue(jsonBytes: ByteBuffer(bytes: bytes.readableBytesView.map { $0 ^ key }))
        }
    }

    /// These tests have a `TestBroker` of their own.
    typealias TestBroker = MQTTXTesting.TestBroker

    static func testing() async throws {
        try await TestBroker.with { broker in
            let client = MQTTClient(MQTTConfig(brokerHost: broker.host, brokerPort: broker.port))
            _ = client
            await broker.dropConnections()
        }
    }
}
