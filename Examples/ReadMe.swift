import MQTTX

func runReadMe(host: String, port: Int) async throws {
    let config = MQTTConfig(brokerHost: host, brokerPort: port, clientID: "device_123")
    try await MQTTClient.withConnection(config) { client in
        let rpc = try await ConventionalRPCManager(client, myTopic: "edge/device_123") { rpc in
            rpc.register("get_status") { ["status": "online", "cpu": 45.2] }
        }
        let status = try await rpc.call("edge/device_123", "get_status", timeout: .seconds(5))
        print("status:", status["status"])

        let events = EventChannelManager(client)
        try await events.subscribe("sensors/+/temperature") { topic, event in print(topic, event.data) }
        try await events.publish("sensors/room1/temperature", ["value": 25.5], qos: .atLeastOnce)
    }
}
