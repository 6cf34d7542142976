import Foundation

@testable import mqttxx

/// Runs the built `mqttxx`, or another program, as a user does.
struct Tool {
    struct Result: Equatable {
        let status: Int32
        let bytes: [UInt8]
        let errors: String

        var output: String { String(decoding: bytes, as: UTF8.self) }
        var lines: [Substring] { output.split(separator: "\n") }

        func json() throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] ?? [:]
        }
    }

    /// The executable lies beside the test bundle.
    static let path: String = {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        while folder.path.count > 1 {
            folder.deleteLastPathComponent()
            let tool = folder.appendingPathComponent("mqttxx")
            if FileManager.default.isExecutableFile(atPath: tool.path) { return tool.path }
        }
        return ".build/debug/mqttxx"
    }()

    /// Runs it to its end.
    static func run(
        _ arguments: [String], program: String = path, input: [UInt8] = [], environment: [String: String] = [:]
    ) async throws -> Result {
        let tool = try RunningTool(arguments, program: program, environment: environment)
        tool.write(input)
        tool.closeInput()
        return await tool.result()
    }

    /// How a command line ends that is not run at all, and what is said then; nil for one that would be run. Asked in this
    /// process, since there are many.
    static func ending(_ arguments: [String]) -> Ending? {
        do {
            _ = try CommandLineTool.command(arguments)
            return nil
        } catch {
            return Ending(status: ExitStatus.of(error), text: CommandLineTool.text(error))
        }
    }

    struct Ending: Equatable {
        let status: Int32
        let text: String
    }

    /// Runs a line of the shell to its end; `mqttxx` in it is the one that was built.
    static func shell(_ line: String) async throws -> Result {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return try await run(["-c", line], program: "/bin/sh", environment: ["PATH": "\(folder):\(inherited)"])
    }
}
