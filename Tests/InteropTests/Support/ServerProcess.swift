import Foundation
import TestSupport

/// A server that a shell guards: it is killed when the pipe from us to the shell closes, so that it ends even when the
/// tests die.
struct ServerProcess: Sendable {
    private let shell: ChildProcess

    private static let guardScript = """
        cd "$1" || exit 1
        shift
        # A signal to us ends the server as well.
        trap : HUP INT TERM
        "$@" 2>&1 </dev/null &
        pid=$!
        exec >/dev/null 2>&1
        read -r signal || signal=KILL
        kill -s $signal $pid
        wait $pid
        """

    /// Starts one and waits until it is ready.
    ///
    /// - Parameter isReady: asked for each line it writes; throw when the line says that it can't start.
    static func start(
        _ command: [String], in directory: URL, environment: [String: String] = [:],
        isReady: @escaping @Sendable (String) throws -> Bool
    ) async throws -> ServerProcess {
        let ready = Once<Void>()
        let shell = try ChildProcess(
            "/bin/sh", ["-c", Self.guardScript, "sh", directory.path] + command, environment: environment
        ) { line in
            guard let line else { return ready.set(.failure(ChildProcess.Failure("it ended before it was ready"))) }
            do {
                if try isReady(line) { ready(()) }
            } catch {
                ready.set(.failure(error))
            }
        }
        do {
            try await ready.value
            return ServerProcess(shell: shell)
        } catch {
            shell.closeInput()
            await shell.exitStatus()
            throw ChildProcess.Failure("\(command[0]): \(error)\n\(shell.tail)")
        }
    }

    /// What it logged last.
    var log: String { shell.tail }

    /// Kills it, without giving it time to say or save anything.
    func kill() async {
        shell.closeInput()
        await shell.exitStatus()
    }

    /// Ends it in order.
    func terminate() async throws {
        try shell.send("TERM")
        await shell.exitStatus()
    }
}
