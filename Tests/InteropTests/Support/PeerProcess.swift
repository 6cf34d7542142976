import Foundation
import MQTTX
import Synchronization
import TestSupport

/// A Python script from `Peers` that does what it is told: commands and their answers, and what it says of itself, are
/// JSON, one object a line.
final class PeerProcess: Sendable {
    /// What a command raised.
    struct Failure: Error, Equatable {
        /// The class of the exception.
        let type: String
        let text: String
        let code: Int?
    }

    private struct State {
        var nextID = 1
        var waiting: [Int: Once<JSONValue>] = [:]
        var isOver = false
    }

    /// What it said when it was ready.
    let greeting: String
    /// What it says unasked.
    let reports: AsyncStream<JSONValue>
    private let process: ChildProcess
    private let conversation: Conversation

    /// Runs a script for as long as the body runs.
    ///
    /// - Parameter environment: the virtual environment that has what the script imports.
    static func run<Result>(
        _ script: String, in environment: String, _ arguments: [String] = [],
        _ body: (PeerProcess) async throws -> Result
    ) async throws -> Result {
        let conversation = Conversation()
        let process = try ChildProcess(
            Checkout.python(environment), [Checkout.peers.appending(path: script).path] + arguments,
            environment: ["PYTHONDONTWRITEBYTECODE": "1"], onLine: conversation.take)
        do {
            let greeting = try await conversation.ready.value
            let result = try await body(PeerProcess(greeting, process, conversation))
            process.closeInput()
            await process.exitStatus()
            return result
        } catch {
            process.closeInput()
            await process.exitStatus()
            if error is ChildProcess.Failure { throw ChildProcess.Failure("\(error)\n\(process.tail)") }
            throw error
        }
    }

    private init(_ greeting: String, _ process: ChildProcess, _ conversation: Conversation) {
        self.greeting = greeting
        self.process = process
        self.conversation = conversation
        self.reports = conversation.reports
    }

    /// Has something done.
    ///
    /// - Returns: the answer's value.
    /// - Throws: ``Failure`` with what was raised there.
    @discardableResult
    func command(_ operation: String, _ members: JSONObject = [:]) async throws -> JSONValue {
        var command = members
        let (id, answer) = try conversation.begin()
        command["op"] = .string(operation)
        command["id"] = .int(Int64(id))
        try process.send(try JSONValue.object(command).jsonText())
        return try await answer.value
    }

    /// The lines that come from the process, sorted to those who wait for them.
    private final class Conversation: Sendable {
        let ready = Once<String>()
        let reports: AsyncStream<JSONValue>
        private let report: AsyncStream<JSONValue>.Continuation
        private let state = Mutex(State())

        init() { (reports, report) = AsyncStream.makeStream(of: JSONValue.self) }

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
            if let greeting = message["ready"].stringValue { return ready(greeting) }
            guard let id = message["id"].intValue else { return _ = report.yield(message) }
            guard let answer = state.withLock({ $0.waiting.removeValue(forKey: id) }) else { return }
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
            report.finish()
        }
    }
}
