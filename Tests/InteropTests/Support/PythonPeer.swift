import MQTTX
import Testing

/// A version of the Python package, installed by `scripts/install-peers`.
enum PythonVersion: String, CaseIterable, CustomTestStringConvertible {
    case v3 = "3"
    case v4 = "4"

    var testDescription: String { self == .v3 ? "mqttxx 3.1.2" : "mqttxx 4.0.3" }
}

/// A Python process that speaks MQTTX, and does what it is told.
struct PythonPeer: Sendable {
    typealias Failure = PeerProcess.Failure

    /// An event that a subscription in Python got.
    struct Heard: Sendable, Equatable {
        let pattern: String
        let topic: String
        let message: JSONValue
    }

    let version: PythonVersion
    private let process: PeerProcess

    /// Runs a peer that is connected and has subscribed, for as long as the body runs.
    static func run<Result>(
        _ version: PythonVersion, port: Int, clientID: String, _ body: (PythonPeer) async throws -> Result
    ) async throws -> Result {
        try await PeerProcess.run(
            "peer_v\(version.rawValue).py", in: "mqttxx-\(version.rawValue)", ["127.0.0.1", "\(port)", clientID]
        ) { try await body(PythonPeer(version: version, process: $0)) }
    }

    /// Where its RPC manager listens.
    var topic: String { process.greeting }

    /// The events that its subscriptions get.
    var heard: AsyncMapSequence<AsyncStream<JSONValue>, Heard> {
        process.reports.map {
            Heard(
                pattern: $0["heard"].stringValue ?? "", topic: $0["topic"].stringValue ?? "", message: $0["message"])
        }
    }

    /// Calls a method from Python; throws ``Failure`` with what was raised there.
    func call(
        _ topic: String, _ method: String, _ params: JSONValue = .null, timeout: Double = 20
    ) async throws -> JSONValue {
        try await process.command(
            "call",
            ["topic": .string(topic), "method": .string(method), "params": params, "timeout": .double(timeout)])
    }

    /// What 4.0.3 calls a ping.
    func ping(_ topic: String) async throws -> JSONValue {
        try await process.command("ping", ["topic": .string(topic)])
    }

    /// Subscribes to events; returns when the broker has granted it.
    func subscribe(_ pattern: String) async throws {
        try await process.command("subscribe", ["pattern": .string(pattern)])
    }

    /// Publishes a structured event.
    func emit(_ topic: String, type: String, data: JSONValue, source: String) async throws {
        let event: JSONValue = ["type": .string(type), "data": data, "source": .string(source)]
        try await process.command("emit", ["topic": .string(topic), "event": event])
    }

    /// Publishes any other value.
    func emit(_ topic: String, raw: JSONValue) async throws {
        try await process.command("emit", ["topic": .string(topic), "raw": raw])
    }
}
