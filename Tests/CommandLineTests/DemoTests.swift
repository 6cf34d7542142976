import Foundation
import MQTTXBroker
import Testing

@Suite("demo", .timeLimit(.minutes(2)))
struct DemoTests {
    private func expectAllOfIt(_ result: Tool.Result) {
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.isEmpty)
        for text in ["PERMISSION_DENIED", "RPC_TIMEOUT", "方法未找到", "hears temperature.changed", "all of it happened"] {
            #expect(result.output.contains(text), "\(text)")
        }
    }

    @Test("The demo shows the whole system and ends by itself with exit 0")
    func demo() async throws { expectAllOfIt(try await Tool.run(["demo"])) }

    @Test("With -h and -p it uses that broker", arguments: [[], ["-V", "3.1.1"]])
    func otherBroker(_ options: [String]) async throws {
        try await withBroker { broker in
            expectAllOfIt(try await Tool.run(["demo"] + options + broker.arguments))
            #expect(broker.statistics.connectionsAccepted == 2)
        }
    }

    @Test("It fails when something does not happen")
    func failure() async throws {
        var config = BrokerConfig(listeners: [.tcp()])
        config.areWildcardsAvailable = false
        try await withBroker(config) { broker in
            let result = try await broker.run("demo")
            #expect(result.status != 0)
            #expect(result.errors.hasPrefix("error: ") && result.errors.filter(\.isNewline).count == 1)
        }
    }
}
