import MQTTX

/// RPC with every topic chosen by hand, methods that come and go, and each kind of failure.
enum FullControlRPC: Example {
    static let name = "full-control-rpc"
    static let summary = "topics, reply topics and timeouts chosen by hand; what can go wrong and how it is told"

    struct Pair: Codable {
        let a: Int
        let b: Int
    }

    struct Sum: Codable {
        let sum: Int
    }

    static func run(_ broker: BrokerAddress) async throws {
        let calculator = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "calculator")
        let user = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "user")
        try await MQTTClient.withConnection(calculator) { client in
            let responder = RPCManager(client, config: RPCConfig(maxConcurrentRequests: 10))
            responder.register("add") { (pair: Pair) async throws -> Sum in Sum(sum: pair.a + pair.b) }
            responder.register("divide") { (pair: Pair) throws -> Int in
                guard pair.b != 0 else { throw DivisionByZero() }
                return pair.a / pair.b
            }
            responder.register("think") { () async throws -> Void in try await Task.sleep(for: .seconds(60)) }
            // One manager may listen on several topics.
            try await client.subscribe("math/integers", responder.handleRPCMessage)

            try await MQTTClient.withConnection(user) { client in
                let rpc = RPCManager(client)
                try await rpc.setup(replyTopic: "user/answers")
                let sum: Sum = try await rpc.call(
                    "math/integers", "add", params: Pair(a: 2, b: 40), timeout: .seconds(5), replyTo: "user/answers")
                print("2 + 40 =", sum.sum)
                try expect(sum.sum == 42, "the sum")
                try await failures(rpc, responder)
            }
            await responder.close()
        }
    }

    private struct DivisionByZero: Error, CustomStringConvertible {
        var description: String { "division by zero" }
    }

    private static func failures(_ rpc: RPCManager, _ responder: RPCManager) async throws {
        try await expectFailure(.rpcExecutionError) {
            try await rpc.call("math/integers", "divide", params: Pair(a: 1, b: 0))
        }
        try await expectFailure(.invalidRPCRequest) { try await rpc.call("math/integers", "add", params: "no pair") }
        try await expectFailure(.rpcTimeout) {
            try await rpc.call("math/integers", "think", timeout: .milliseconds(200))
        }
        responder.unregister("add")
        try await expectFailure(.methodNotFound) {
            try await rpc.call("math/integers", "add", params: Pair(a: 1, b: 1))
        }
    }

    private static func expectFailure(_ code: ErrorCode, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as MQTTXError where error.code == code {
            print("as expected:", error)
            return
        }
        throw NotShown(description: "expected: a failure with \(code)")
    }
}
