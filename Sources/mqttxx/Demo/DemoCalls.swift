import MQTTX

/// An edge device and a cloud service call each other.
struct DemoCalls: Sendable {
    private struct DeviceConfig: Codable, Equatable, Sendable {
        var updateInterval: Int
        var servers: [String]
    }

    private static let settings = DeviceConfig(updateInterval: 60, servers: ["s1", "s2"])

    private let edge: MQTTClient
    private let cloud: MQTTClient
    private let edgeTopic: String
    private let cloudTopic: String

    init(edge: MQTTClient, cloud: MQTTClient, prefix: String) {
        self.edge = edge
        self.cloud = cloud
        edgeTopic = prefix + "/edge/device_123"
        cloudTopic = prefix + "/cloud/config-service"
    }

    func show() async throws {
        let device = try await makeDevice()
        let service = try await makeService()
        try await callBothWays(device, service)
        try await refuse(device)
        try await timeOut(service)
        try await findNoMethod(service)
        await device.close()
        await service.close()
    }

    private func makeDevice() async throws -> ConventionalRPCManager {
        let device = try await ConventionalRPCManager(edge, myTopic: edgeTopic) { rpc in
            rpc.register("get_status") { (_: JSONValue) in ["status": "online", "cpu": 45.2] }
            rpc.register("sleep") { (_: JSONValue) in
                try await Task.sleep(for: .seconds(60))
                return nil
            }
        }
        try Demo.say("device_123", "serves get_status and sleep on \(edgeTopic)")
        return device
    }

    private func makeService() async throws -> ConventionalRPCManager {
        let mayCall: RPCAuthCallback = { _, method, _ in method != "reset_system" }
        let service = try await ConventionalRPCManager(
            cloud, myTopic: cloudTopic, authCallback: mayCall,
            register: { rpc in
                rpc.register("get_device_config") { (_: JSONValue) in Self.settings }
                rpc.register("reset_system") { (_: JSONValue) in true }
            })
        try Demo.say("config-service", "serves get_device_config and reset_system on \(cloudTopic)")
        return service
    }

    private func callBothWays(_ device: ConventionalRPCManager, _ service: ConventionalRPCManager) async throws {
        let settings: DeviceConfig = try await device.call(cloudTopic, "get_device_config")
        try Demo.check(settings == Self.settings, "the settings that the service has")
        try Demo.say(
            "device_123", "calls get_device_config: update every \(settings.updateInterval) s, from \(settings.servers)"
        )
        let status: JSONValue = try await service.call(edgeTopic, "get_status")
        try Demo.check(status == ["status": "online", "cpu": 45.2], "the status of the device")
        try Demo.say("config-service", "calls get_status: \(status)")
    }

    private func refuse(_ device: ConventionalRPCManager) async throws {
        let error = try await Demo.error(.permissionDenied) { try await device.call(cloudTopic, "reset_system") }
        try Demo.say("device_123", "calls reset_system and is refused: \(error)")
    }

    private func timeOut(_ service: ConventionalRPCManager) async throws {
        let error = try await Demo.error(.rpcTimeout) {
            try await service.call(edgeTopic, "sleep", timeout: .milliseconds(300))
        }
        try Demo.say("config-service", "calls sleep and gives up after 300 ms: \(error)")
    }

    private func findNoMethod(_ service: ConventionalRPCManager) async throws {
        let error = try await Demo.error(.methodNotFound) { try await service.call(edgeTopic, "fly") }
        try Demo.say("config-service", "calls fly, which nobody has: \(error)")
    }
}
