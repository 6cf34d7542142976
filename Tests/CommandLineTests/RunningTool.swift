import Foundation
import Synchronization

/// `mqttxx` running in the background, its lines read as they come.
final class RunningTool: Sendable {
    let lines: AsyncStream<String>
    private let process: Process
    private let ended: AsyncStream<Int32>

    init(_ arguments: [String]) throws {
        let process = Process()
        self.process = process
        process.executableURL = Tool.url
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        let (ended, end) = AsyncStream.makeStream(of: Int32.self)
        self.lines = lines
        self.ended = ended
        process.terminationHandler = {
            end.yield($0.terminationStatus)
            end.finish()
        }
        try process.run()
        let file = output.fileHandleForReading
        Thread.detachNewThread {
            var rest = Data()
            while case let chunk = file.availableData, !chunk.isEmpty {
                rest.append(chunk)
                while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    continuation.yield(String(decoding: rest[rest.startIndex..<newline], as: UTF8.self))
                    rest = Data(rest[rest.index(after: newline)...])
                }
            }
            continuation.finish()
        }
    }

    /// The next line of standard output; nil at its end.
    func nextLine() async -> String? { await lines.first { _ in true } }

    func interrupt() { kill(process.processIdentifier, SIGINT) }
    func terminate() { kill(process.processIdentifier, SIGTERM) }

    /// Waits for the end and gives the exit status.
    func status() async -> Int32 { await ended.first { _ in true } ?? -1 }
}
