import ArgumentParser
import Foundation

/// Where the process begins and ends.
@main
enum CommandLineTool {
    static func main() async {
        exit(await run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Off the main actor: each message would otherwise pay a hop to the main thread.
    @concurrent
    private static func run(_ arguments: [String]) async -> Int32 {
        do {
            let parsed = try RootCommand.parseAsRoot(try Arguments.rewritten(arguments))
            guard var command = parsed as? any AsyncParsableCommand else {
                var command = parsed
                try command.run()
                return 0
            }
            try await command.run()
            return 0
        } catch {
            return report(error)
        }
    }

    /// Says what went wrong, in one line, and gives the exit status.
    private static func report(_ error: any Error) -> Int32 {
        let status = ExitStatus.of(error)
        switch error {
        case is Interruption, is BrokenPipe:
            break
        default:
            if status == 0 {
                // Help and the version were asked for.
                try? StandardOutput.write(line: RootCommand.fullMessage(for: error))
            } else {
                StandardError.write("error: \(ExitStatus.describe(error))")
            }
        }
        return status
    }
}
