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
        let input = try params.jsonBytes()
        let ended = try await withThrowingTaskGroup(of: ShellProcess.Ending.self) { group in
            let process = try ShellProcess(text)
            group.addTask {
                await withTaskCancellationHandler {
                    await process.ending(input: input)
                } onCancel: {
                    process.kill()
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

    private func result(of ended: ShellProcess.Ending) throws -> JSONValue {
        guard ended.status == 0 else {
            let line = String(buffer: ended.errors).split(whereSeparator: \.isNewline).last.map(String.init)
            throw MQTTXError(.rpcExecutionError, line ?? "the command ended with status \(ended.status)")
        }
        guard ended.output.readableBytesView.contains(where: { !" \t\r\n".utf8.contains($0) }) else { return nil }
        return try JSONValue(jsonBytes: ended.output)
    }
}
