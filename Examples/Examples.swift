import Foundation
import MQTTXBroker

@main
enum Examples {
    private static var all: [any Example.Type] {
        [
            TenLines.self, ConventionalRPC.self, FullControlRPC.self, Permissions.self, Events.self, RPCAndEvents.self,
            SecureConnections.self, CustomCodec.self, ProtobufMessages.self,
        ]
    }

    static func main() async {
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) async throws {
        let wanted = arguments.first == "all" ? all : all.filter { $0.name == arguments.first }
        guard !wanted.isEmpty else {
            print(
                "usage: swift run examples NAME|all [HOST PORT]\n\nWithout a host, a broker is started in this process.\n"
            )
            for example in all {
                print("  " + example.name.padding(toLength: 20, withPad: " ", startingAt: 0) + example.summary)
            }
            if !arguments.isEmpty { throw NotShown(description: "there is no example \(arguments[0])") }
            return
        }
        for example in wanted {
            print("== \(example.name): \(example.summary)")
            if arguments.count >= 3, let port = Int(arguments[2]) {
                try await example.run(BrokerAddress(host: arguments[1], port: port))
            } else {
                let broker = try await Broker.start()
                try await example.run(BrokerAddress(host: "127.0.0.1", port: broker.port))
                try await broker.stop()
            }
        }
    }
}
