import MQTTX
import TestSupport
import Testing

@Suite("Many calls at once through mosquitto", .serialized, .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(1)))
struct ManyCallsTests {
    /// mosquitto leaves Nagle's algorithm on: what it sends while an acknowledgement of TCP is out waits for that, and the
    /// system delays those by 40 ms.
    @Test("None of them waits for a delayed TCP acknowledgement", arguments: [1, 4, 8, 12, 16, 20])
    func noneWaits(_ count: Int) async throws {
        try await Mosquitto.run { mosquitto in
            func client(_ id: String) async throws -> MQTTClient {
                let client = MQTTClient(
                    MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port(), clientID: id))
                try await client.connect()
                return client
            }
            let (server, caller) = (try await client("server"), try await client("caller"))
            let serving = try await ConventionalRPCManager(server, myTopic: "services/echo") { rpc in
                rpc.register("echo") { (params: JSONValue) in params }
            }
            let calling = try await ConventionalRPCManager(caller, myTopic: "devices/caller")
            // Half of what it takes when every round waits once. A machine with much else to do may need as long, so there are
            // several attempts; a client that waits does so in all of them.
            let rounds = 25
            var fastest = Duration.seconds(60)
            for _ in 0..<8 where fastest >= .milliseconds(20) * rounds {
                fastest = min(fastest, try await time(rounds, of: count, from: calling))
            }
            #expect(fastest < .milliseconds(20) * rounds)
            await calling.close()
            await serving.close()
            await caller.disconnect()
            await server.disconnect()
        }
    }

    /// What so many rounds take in each of so many tasks.
    private func time(_ rounds: Int, of tasks: Int, from calling: ConventionalRPCManager) async throws -> Duration {
        try await ContinuousClock().measure {
            try await withThrowingDiscardingTaskGroup { group in
                for task in 0..<tasks {
                    group.addTask {
                        for round in 0..<rounds {
                            let params = ["task": .int(Int64(task)), "round": .int(Int64(round))] as JSONValue
                            let answer: JSONValue = try await calling.call("services/echo", "echo", params: params)
                            #expect(answer == params)
                        }
                    }
                }
            }
        }
    }
}
