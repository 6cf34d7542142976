import Foundation

/// Runs the built `mqttxx` as a user does.
struct Tool {
    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    /// The executable lies beside the test bundle.
    static var url: URL {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        while folder.path.count > 1 {
            folder.deleteLastPathComponent()
            let tool = folder.appendingPathComponent("mqttxx")
            if FileManager.default.isExecutableFile(atPath: tool.path) { return tool }
        }
        return URL(fileURLWithPath: ".build/debug/mqttxx")
    }

    static func run(_ arguments: [String]) async throws -> Result {
        let process = Process()
        process.executableURL = url
        process.arguments = arguments
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        async let out = output.fileHandleForReading.readToEndAsync()
        async let err = errors.fileHandleForReading.readToEndAsync()
        let (outText, errText) = try await (out, err)
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: outText, errors: errText)
    }
}

extension FileHandle {
    fileprivate func readToEndAsync() async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Swift.Result { String(decoding: try self.readToEnd() ?? Data(), as: UTF8.self) })
            }
        }
    }
}
