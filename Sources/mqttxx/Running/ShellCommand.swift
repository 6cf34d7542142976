import Foundation
import MQTTX

/// A command of the shell that serves a method.
struct ShellCommand: Sendable {
    let text: String
    /// After this it is killed, with all that it started.
    let timeout: Duration

    /// Gives it the params on standard input and takes the result from its standard output.
    ///
    /// - Throws: `MQTTXError` with the last line of its standard error if it fails.
    func run(_ params: JSONValue) async throws -> JSONValue {
        let conversation = Conversation(try ChildProcess("/bin/sh", ["-c", text]), input: try params.jsonBytes())
        let ended = try await withThrowingTaskGroup(of: Conversation.Ending.self) { group in
            group.addTask {
                await withTaskCancellationHandler {
                    await conversation.ending()
                } onCancel: {
                    conversation.process.kill()
                }
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw MQTTXError(.rpcExecutionError, "the command was killed after \(timeout)")
            }
            defer { group.cancelAll() }
            guard let ended = try await group.next() else { throw CancellationError() }
            return ended
        }
        return try result(of: ended)
    }

    private func result(of ended: Conversation.Ending) throws -> JSONValue {
        guard ended.status == 0 else {
            let line = String(buffer: ended.errors).split(whereSeparator: \.isNewline).last.map(String.init)
            let reason =
                ended.status > 128
                ? "the command was ended by signal \(ended.status - 128)"
                : "the command ended with status \(ended.status)"
            throw MQTTXError(.rpcExecutionError, line ?? reason)
        }
        guard !ended.isOutputCut else {
            throw MQTTXError(.rpcExecutionError, "the command wrote more than \(Conversation.largestOutput) bytes")
        }
        guard ended.output.readableBytesView.contains(where: { !" \t\r\n".utf8.contains($0) }) else { return nil }
        do {
            return try JSONValue(jsonBytes: ended.output)
        } catch {
            // An error of the command, not of the message that asked for it.
            throw MQTTXError(.rpcExecutionError, "what the command wrote is \(error.message)")
        }
    }
}
