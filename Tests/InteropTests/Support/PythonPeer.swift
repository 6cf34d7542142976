import Foundation
import MQTTX
import Synchronization
import Testing

/// A version of the Python package, installed by `scripts/install-peers`.
enum PythonVersion: String, CaseIterable, CustomTestStringConvertible {
    case v3 = "3"
    case v4 = "4"

    var testDescription: String { self == .v3 ? "mqttxx 3.1.2" : "mqttxx 4.0.3" }
}

/// A Python process that speaks MQTTX, and does what it is told.
final class PythonPeer: Sendable {
    /// What a call in Python raised.
    struct Failure: Error, Equatable {
        /// The class of the exception.
        let type: String
        let text: String
        let code: Int?
    }

    /// An event that a subscription in Python got.
    struct Heard: Sendable, Equatable {
        let pattern: String
        let topic: String
        let message: JSONValue
    }

    private struct State {
        var nextID = 1
        var waiting: [Int: Once<JSONValue>] = [:]
        var isOver = false
    }

    let version: PythonVersion
    /// Where its RPC manager listens.
    let topic: String
    /// The events that its subscriptions get.
    let heard: AsyncStream<Heard>
    private let process: ChildProcess
    private let conversation: Conversation

    /// Runs a peer that is connected and has subscribed, for as long as the body runs.
    static func run<Result>(
        _ version: PythonVersion, port: Int, clientID: String, _ body: (PythonPeer) async throws -> Result
    ) async throws -> Result {
        let conversation = Conversation()
        let process = try ChildProcess(
            Checkout.python("mqttxx-\(version.rawValue)"),
            [Checkout.peers.appending(path: "peer_v\(version.rawValue).py").path, "127.0.0.1", "\(port)", clientID],
            environment: ["PYTHONDONTWRITEBYTECODE": "1"], onLine: conversation.take)
        do {
            let topic = try await conversation.ready.value
            let peer = PythonPeer(version: version, topic: topic, process: process, conversation: conversation)
            let result = try await body(peer)
            await peer.end()
            return result
        } catch {
            process.closeInput()
            await process.exitStatus()
            if error is ChildProcess.Failure { throw ChildProcess.Failure("\(error)\n\(process.tail)") }
            throw error
        }
    }

    private init(version: PythonVersion, topic: String, process: ChildProcess, conversation: Conversation) {
        self.version = version
        self.topic = topic
        self.process = process
        self.conversation = conversation
        self.heard = conversation.heard
    }

    private func end() async {
        process.closeInput()
        await process.exitStatus()
    }

    /// Calls a method from Python; throws ``Failure`` with what was raised there.
    func call(
        _ topic: String, _ method: String, _ params: JSONValue = .null, timeout: Double = 20
    ) async throws -> JSONValue {
        try await command([
            "op": "call", "topic": .string(topic), "method": .string(method), "params": params,
            "timeout": .double(timeout),
        ])
    }

    /// What 4.0.3 calls a ping.
    func ping(_ topic: String) async throws -> JSONValue { try await command(["op": "ping", "topic": .string(topic)]) }

    /// Subscribes to events; returns when the broker has granted it.
    func subscribe(_ pattern: String) async throws {
        _ = try await command(["op": "subscribe", "pattern": .string(pattern)])
    }

    /// Publishes a structured event.
    func emit(_ topic: String, type: String, data: JSONValue, source: String) async throws {
        let event: JSONValue = ["type": .string(type), "data": data, "source": .string(source)]
        _ = try await command(["op": "emit", "topic": .string(topic), "event": event])
    }

    /// Publishes any other value.
    func emit(_ topic: String, raw: JSONValue) async throws {
        _ = try await command(["op": "emit", "topic": .string(topic), "raw": raw])
    }

    private func command(_ command: JSONObject) async throws -> JSONValue {
        var command = command
        let (id, answer) = try conversation.begin()
        command["id"] = .int(Int64(id))
        try process.send(try JSONValue.object(command).jsonText())
        return try await answer.value
    }

    /// The lines that come from the process, sorted to those who wait for them.
    private final class Conversation: Sendable {
        let ready = Once<String>()
        let heard: AsyncStream<Heard>
        private let hear: AsyncStream<Heard>.Continuation
        private let state = Mutex(State())

        init() { (heard, hear) = AsyncStream.makeStream(of: Heard.self) }

        func begin() throws -> (Int, Once<JSONValue>) {
            let answer = Once<JSONValue>()
            return try state.withLock { state in
                guard !state.isOver else { throw ChildProcess.Failure("the Python peer has ended") }
                state.nextID += 1
                state.waiting[state.nextID] = answer
                return (state.nextID, answer)
            }
        }

        @Sendable func take(_ line: String?) {
            guard let line else { return end() }
            // Other lines are its log.
            guard let message = try? JSONValue(jsonText: line) else { return }
            if let topic = message["ready"].stringValue { return ready(topic) }
            if let pattern = message["heard"].stringValue {
                hear.yield(
                    Heard(pattern: pattern, topic: message["topic"].stringValue ?? "", message: message["message"]))
                return
            }
            guard let id = message["id"].intValue, let answer = state.withLock({ $0.waiting.removeValue(forKey: id) })
            else { return }
            let error = message["error"]
            guard !error.isNull else { return answer(message["value"]) }
            answer.set(
                .failure(
                    Failure(
                        type: error["type"].stringValue ?? "", text: error["text"].stringValue ?? "",
                        code: error["code"].intValue)))
        }

        private func end() {
            let waiting = state.withLock { state in
                state.isOver = true
                defer { state.waiting = [:] }
                return state.waiting
            }
            let failure = ChildProcess.Failure("the Python peer has ended")
            ready.set(.failure(failure))
            for answer in waiting.values { answer.set(.failure(failure)) }
            hear.finish()
        }
    }
}
