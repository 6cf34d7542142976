import Foundation
import TestSupport
import Testing

/// A program that runs while a test does: its lines are read as they come. Letting it go ends it.
final class RunningTool: Sendable {
    /// The lines of standard output; to be read by one task.
    let lines: AsyncStream<String>
    /// The lines of standard error; to be read by one task.
    let errorLines: AsyncStream<String>
    private let process: ChildProcess

    init(_ arguments: [String], program: String = Tool.path, environment: [String: String] = [:]) throws {
        let (lines, output) = AsyncStream.makeStream(of: String.self)
        let (errorLines, errors) = AsyncStream.makeStream(of: String.self)
        self.lines = lines
        self.errorLines = errorLines
        process = try ChildProcess(
            program, arguments, environment: environment, onLine: { output.hand($0) }, onErrorLine: { errors.hand($0) })
    }

    deinit {
        kill()
        closeInput()
    }

    /// The next line of standard output; nil at its end.
    func nextLine() async -> String? { await lines.first { _ in true } }

    /// Writes to its standard input; what it does not want to hear any more is left out.
    func write(_ bytes: [UInt8]) { try? process.send(Data(bytes)) }

    func closeInput() { process.closeInput() }

    func interrupt() { process.signal(SIGINT) }
    func terminate() { process.signal(SIGTERM) }
    func hangUp() { process.signal(SIGHUP) }
    func quit() { process.signal(SIGQUIT) }
    func kill() { process.signal(SIGKILL) }

    /// What it has used of the processors so far.
    func processorTime() throws -> Duration {
        let text = try String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8)
        // After the name in parentheses: the state is the first, user and system time are the 12th and 13th.
        let fields = text[text.index(after: try #require(text.lastIndex(of: ")")))...].split(separator: " ")
        let ticks = try #require(Int(fields[11])) + #require(Int(fields[12]))
        return .milliseconds(ticks * 1000 / Int(sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Waits for the end and gives the exit status.
    func status() async -> Int32 { await process.exitStatus() }

    /// Waits for the end and gives all that it has written.
    func result() async -> Tool.Result {
        let status = await status()
        return Tool.Result(status: status, bytes: Array(process.outputBytes), errors: process.errors)
    }
}

extension AsyncStream<String>.Continuation {
    /// The next line, or the end.
    fileprivate func hand(_ line: String?) {
        if let line { yield(line) } else { finish() }
    }
}
