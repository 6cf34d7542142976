import MQTTX

/// One client for both: calls where an answer is wanted, events where none is.
enum RPCAndEvents: Example {
    static let name = "rpc-and-events"
    static let summary = "a device fetches its configuration by RPC and tells its heartbeat as an event"

    static func run(_ broker: BrokerAddress) async throws {
        let (heartbeats, beat) = AsyncStream.makeStream(of: (String, JSONValue).self)
        let server = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "server")
        let device = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "device_001")

        try await MQTTClient.withConnection(server) { client in
            let rpc = try await ConventionalRPCManager(client, myTopic: "server/config") { rpc in
                rpc.register("get_device_config") { (_: JSONValue, request: RPCRequest) in
                    ["device": .string(request.callerID), "interval": 60]
                }
            }
            try await EventChannelManager(client).subscribe("device/+/heartbeat") { topic, event in
                beat.yield((topic, event.data))
            }

            try await MQTTClient.withConnection(device) { client in
                let rpc = try await ConventionalRPCManager(client, myTopic: "device/device_001")
                let config = try await rpc.call("server/config", "get_device_config")
                print("the device got its configuration:", config)
                try expect(config["device"] == "device_001", "the id of the caller")

                try await EventChannelManager(client).publish(
                    "device/device_001/heartbeat",
                    EventMessage(eventType: "heartbeat", data: ["cpu": 45.2, "memory": 78.5], source: "device_001"),
                    qos: .atLeastOnce)
                await rpc.close()
            }
            guard let (topic, data) = await heartbeats.first(where: { _ in true }) else { return }
            print("the server heard \(topic):", data)
            try expect(data["cpu"] == 45.2, "the data of the heartbeat")
            await rpc.close()
        }
    }
}
