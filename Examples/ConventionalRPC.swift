import MQTTX

/// An edge device and a cloud service call each other: each has one topic, which takes the requests to it and the
/// responses to its own calls.
enum ConventionalRPC: Example {
    static let name = "conventional-rpc"
    static let summary = "an edge device and a cloud service call each other by convention"

    struct DeviceConfig: Codable {
        let updateInterval: Int
        let servers: [String]
    }

    static func run(_ broker: BrokerAddress) async throws {
        try await cloudService(broker) {
            try await edgeDevice(broker) { device in
                let config: DeviceConfig = try await device.call("cloud/config-service", "get_device_config")
                print("the device got its configuration:", config)
                try expect(config.servers == ["s1", "s2"], "the configuration that the service returned")

                // The service calls back before it answers.
                let report = try await device.call(
                    "cloud/config-service", "check", params: ["device": "edge/device_123"])
                print("the service checked the device:", report)
                try expect(report["status"] == "online", "the status that the device returned to the service")
            }
        }
    }

    private static func cloudService(_ broker: BrokerAddress, _ body: () async throws -> Void) async throws {
        let config = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "config-service")
        try await MQTTClient.withConnection(config) { client in
            let rpc = try await ConventionalRPCManager(client, myTopic: "cloud/config-service") { rpc in
                rpc.register("get_device_config") { DeviceConfig(updateInterval: 60, servers: ["s1", "s2"]) }
                rpc.register("check") { (params: JSONValue) in
                    try await rpc.call(
                        params["device"].stringValue ?? "", "get_status", replyTo: "cloud/config-service")
                }
            }
            try await body()
            await rpc.close()
        }
    }

    private static func edgeDevice(
        _ broker: BrokerAddress, _ body: (ConventionalRPCManager) async throws -> Void
    ) async throws {
        let config = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "device_123")
        try await MQTTClient.withConnection(config) { client in
            let rpc = try await ConventionalRPCManager(client, myTopic: "edge/device_123") { rpc in
                rpc.register("get_status") { ["status": "online", "cpu": 45.2] }
            }
            try await body(rpc)
            await rpc.close()
        }
    }
}
