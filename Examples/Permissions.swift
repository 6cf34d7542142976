import MQTTX

/// A responder that asks, for every request, whether this caller may.
enum Permissions: Example {
    static let name = "permissions"
    static let summary = "who may call what: an administrator resets the system, a guest does not"

    static func run(_ broker: BrokerAddress) async throws {
        try await client("server", broker) { client in
            let rpc = try await ConventionalRPCManager(client, myTopic: "server/rpc", authCallback: mayCall) { rpc in
                rpc.register("get_time") { "12:00" }
                rpc.register("reset_system") { "done" }
            }
            for caller in ["admin_001", "guest_007"] { try await tryBoth(as: caller, broker) }
            await rpc.close()
        }
    }

    /// Nothing proves a caller id but the broker: give every client a password and let it publish under its own id alone.
    @Sendable private static func mayCall(_ callerID: String, _ method: String, _: RPCRequest) -> Bool {
        method != "reset_system" || callerID.hasPrefix("admin_")
    }

    private static func tryBoth(as caller: String, _ broker: BrokerAddress) async throws {
        try await client(caller, broker) { client in
            let rpc = RPCManager(client)
            let time = try await rpc.call("server/rpc", "get_time")
            print("\(caller) asked for the time:", time)
            do {
                let result = try await rpc.call("server/rpc", "reset_system")
                print("\(caller) reset the system:", result)
                try expect(caller == "admin_001", "that \(caller) is refused")
            } catch ErrorCode.permissionDenied {
                print("\(caller) may not reset the system")
                try expect(caller == "guest_007", "that \(caller) is allowed")
            }
        }
    }

    private static func client(
        _ id: String, _ broker: BrokerAddress, _ body: (MQTTClient) async throws -> Void
    ) async throws {
        try await MQTTClient.withConnection(
            MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: id), body)
    }
}
