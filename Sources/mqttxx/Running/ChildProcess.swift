import Foundation
import MQTTX
import Synchronization

/// A program of its own with pipes for its standard streams, in a process group of its own.
///
/// Not Foundation's `Process`: that learns of a child's end by a socket which children started at the same time may hold
/// as well, and hands on the signals that this process ignores or blocks.
final class ChildProcess: Sendable {
    let id: pid_t
    /// Our ends of the pipes. Whoever closes one of them must be the last to use it.
    let input: Int32
    let output: Int32
    let errors: Int32
    private let state = Mutex(State())

    private struct State {
        var isKilled = false
        var hasEnded = false
    }

    /// Starts it.
    ///
    /// - Parameter environment: what is added to the environment of this process.
    /// - Throws: `MQTTXError` if there is no such program, or no room for another process or pipe.
    init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws(MQTTXError) {
        let child = try Self.starting.withLock { _ throws(MQTTXError) in
            try Self.start([executable] + arguments, ProcessInfo.processInfo.environment.merging(environment) { $1 })
        }
        (id, input, output, errors) = (child.id, child.ends[0], child.ends[1], child.ends[2])
    }

    /// Held while pipes are made and handed on: a child that starts meanwhile would keep their ends open.
    private static let starting = Mutex(())

    private static func start(
        _ arguments: [String], _ environment: [String: String]
    ) throws(MQTTXError) -> (id: pid_t, ends: [Int32]) {
        var pipes: [(read: Int32, write: Int32)] = []
        do {
            for _ in 0..<3 { pipes.append(try pipe()) }
            let streams = [pipes[0].read, pipes[1].write, pipes[2].write]
            let id = try spawn(arguments, environment, streams: streams)
            for stream in streams { close(stream) }
            return (id, [pipes[0].write, pipes[1].read, pipes[2].read])
        } catch {
            for pipe in pipes {
                close(pipe.read)
                close(pipe.write)
            }
            throw error
        }
    }

    /// Sends it a signal; nothing happens once it has ended.
    func signal(_ number: Int32) {
        state.withLock { state in
            if !state.hasEnded { _ = Foundation.kill(id, number) }
        }
    }

    /// Ends it and what it has started.
    func kill() {
        state.withLock { state in
            state.isKilled = true
            if !state.hasEnded { _ = Foundation.kill(-id, SIGKILL) }
        }
    }

    var isKilled: Bool { state.withLock { $0.isKilled } }

    /// Waits, on this thread, until it has ended. To be called once.
    ///
    /// - Returns: its exit status, as a shell says it: 128 and the number for a signal.
    func wait() -> Int32 {
        var info = siginfo_t()
        // The identifier stays taken until the second call: a signal can't meet a stranger.
        while waitid(P_PID, id_t(id), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        var status: Int32 = 0
        state.withLock { state in
            state.hasEnded = true
            while waitpid(id, &status, 0) < 0, errno == EINTR {}
        }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    /// A pipe that no other child inherits.
    private static func pipe() throws(MQTTXError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Foundation.pipe(&ends) == 0 else { throw failure(errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ arguments: [String], _ environment: [String: String], streams: [Int32]
    ) throws(MQTTXError) -> pid_t {
        #if os(Linux)
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #else
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #endif
        closeTheRestAtStart()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (number, stream) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, stream, Int32(number))
        }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var id: pid_t = 0
        let error = withCStrings(arguments) { words in
            withCStrings(environment.map { "\($0)=\($1)" }) { variables in
                posix_spawn(&id, arguments[0], &actions, &attributes, words, variables)
            }
        }
        guard error == 0 else { throw failure(error) }
        return id
    }

    /// What else is open here is not for a child: a socket that it held would outlive its connection.
    private static func closeTheRestAtStart() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? [] {
            if let file = Int32(name), file > STDERR_FILENO { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
        }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }

    private static func failure(_ number: Int32) -> MQTTXError {
        MQTTXError(.rpcExecutionError, "the command could not be started: \(String(cString: strerror(number)))")
    }
}
