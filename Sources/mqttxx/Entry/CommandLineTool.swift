import ArgumentParser
import Foundation

/// Where the process begins and ends.
@main
enum CommandLineTool {
    static func main() async {
        StandardStreams.occupy()
        // A reader that has gone is an error of the write, told quietly.
        signal(SIGPIPE, SIG_IGN)
        // Who asks for an end has not asked for the state of all threads.
        signal(SIGQUIT, SIG_DFL)
        exit(await run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Off the main actor: each message would otherwise pay a hop to the main thread.
    @concurrent
    private static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try command(arguments)
            try await command?.run()
            return 0
        } catch {
            return report(error)
        }
    }

    /// The command that the arguments stand for. Help and the version are thrown, as mistakes are.
    static func command(_ arguments: [String]) throws -> (any AsyncParsableCommand)? {
        var parsed = try RootCommand.parseAsRoot(try Arguments.rewritten(arguments))
        if let command = parsed as? any AsyncParsableCommand { return command }
        try parsed.run()
        return nil
    }

    /// What is said about an error, or the help that was asked for.
    static func text(_ error: any Error) -> String {
        ExitStatus.of(error) == 0 ? RootCommand.fullMessage(for: error) : ExitStatus.describe(error)
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
                try? StandardOutput.write(line: text(error))
            } else {
                StandardError.error(text(error))
            }
        }
        return status
    }
}
