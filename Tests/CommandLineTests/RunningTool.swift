import Foundation
import TestSupport

/// `mqttxx` running in the background, its lines read as they come.
final class RunningTool: Sendable {
    private let lines: AsyncStream<String>
    private let child: ChildProcess

    init(_ arguments: [String]) throws {
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        self.lines = lines
        child = try ChildProcess(Tool.path, arguments) { line in
            if let line { continuation.yield(line) } else { continuation.finish() }
        }
    }

    /// The next line of standard output; nil at its end.
    func nextLine() async -> String? { await lines.first { _ in true } }

    func interrupt() { child.signal(SIGINT) }
    func hangUp() { child.signal(SIGHUP) }
    func terminate() { child.signal(SIGTERM) }

    /// Waits for the end and gives the exit status.
    func status() async -> Int32 { await child.exitStatus() }
}
