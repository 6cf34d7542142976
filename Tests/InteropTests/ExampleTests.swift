import Foundation
import TestSupport
import Testing

@Suite("Examples", .timeLimit(.minutes(2)))
struct ExampleTests {
    @Test(
        "An example ends by itself, having checked what it shows",
        arguments: [
            "readme", "conventional-rpc", "full-control-rpc", "permissions", "events", "rpc-and-events", "tls",
            "custom-codec", "protobuf",
        ])
    func runs(_ name: String) async throws {
        try await ChildProcess.run(Checkout.products.appending(path: "examples").path, [name])
    }

    @Test("Every example runs against a broker of somebody else's", .enabled(if: Checkout.runsPeers))
    func onMosquitto() async throws {
        try await Mosquitto.run { mosquitto in
            _ = try await ChildProcess.run(
                Checkout.products.appending(path: "examples").path, ["all", "127.0.0.1", "\(mosquitto.port())"])
        }
    }

    @Test("The lines in the README are those of the example that is built")
    func readMe() throws {
        let page = try String(contentsOf: Checkout.root.appending(path: "README.md"), encoding: .utf8)
        let example = try String(contentsOf: Checkout.root.appending(path: "Examples/ReadMe.swift"), encoding: .utf8)
        #expect(page.contains("```swift\n\(example)```\n"))
    }
}
