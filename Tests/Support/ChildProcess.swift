import Dispatch
package import Foundation
import Synchronization

/// A process whose lines are read as they come. It gets a pipe as standard input, which closes when the tests end in
/// whatever way; programs started here end by that.
///
/// Not Foundation's `Process`, which learns of a child's end by a socket that children started at the same time inherit
/// as well. A child of ours inherits nothing but its three pipes.
package final class ChildProcess: Sendable {
    /// What outlives the object: the threads that read and wait.
    private final class Record: Sendable {
        struct State {
            var output = Data()
            var errors = Data()
            var status: Int32?
        }

        let state = Mutex(State())
        /// Left when the process has ended and all that it wrote has been read.
        let isOver = DispatchGroup()
    }

    private static let keptBytes = 32 << 20

    package let pid: pid_t
    private let input = Pipe()
    private let record = Record()

    /// Starts a program, looked up in `PATH` when its name has no slash.
    ///
    /// - Parameters:
    ///   - onLine: called for every line of standard output, on a thread of its own, and with nil at its end.
    ///   - onErrorLine: the same for standard error.
    package init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        onLine: @escaping @Sendable (String?) -> Void = { _ in },
        onErrorLine: @escaping @Sendable (String?) -> Void = { _ in }
    ) throws {
        _ = Self.ignoresBrokenPipes
        let output = Pipe()
        let errors = Pipe()
        pid = try Self.spawn(
            executable, arguments, environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
            descriptors: [
                input.fileHandleForReading, output.fileHandleForWriting, errors.fileHandleForWriting,
            ].map(\.fileDescriptor))
        for end in [input.fileHandleForReading, output.fileHandleForWriting, errors.fileHandleForWriting] {
            try end.close()
        }
        read(output, into: \.output, onLine)
        read(errors, into: \.errors, onErrorLine)
        waitForEnd()
    }

    // MARK: Talking to it

    package func send(_ line: String) throws { try send(Data((line + "\n").utf8)) }

    package func send(_ bytes: Data) throws { try input.fileHandleForWriting.write(contentsOf: bytes) }

    /// Ends standard input, and the process by that if it reads it.
    package func closeInput() { try? input.fileHandleForWriting.close() }

    /// Sends a signal, unless it has ended.
    package func signal(_ number: Int32) {
        record.state.withLock { state in
            if state.status == nil { _ = kill(pid, number) }
        }
    }

    // MARK: What it said

    /// What it wrote to standard output, of very much the end.
    package var outputBytes: Data { record.state.withLock { $0.output } }

    package var output: String { String(decoding: outputBytes, as: UTF8.self) }

    /// What it wrote to standard error, of very much the end.
    package var errors: String { String(decoding: record.state.withLock { $0.errors }, as: UTF8.self) }

    /// The latest of both, for the messages of failed tests.
    package var tail: String { String(output.suffix(4_000) + errors.suffix(4_000)) }

    // MARK: Its end

    /// Waits until the process has ended and its output is read.
    ///
    /// - Returns: its exit status; 128 more than the signal's number if one ended it.
    @discardableResult
    package func exitStatus() async -> Int32 {
        await withCheckedContinuation { continuation in
            record.isOver.notify(queue: .global()) { [record] in
                continuation.resume(returning: record.state.withLock { $0.status ?? -1 })
            }
        }
    }

    /// The same where nothing can be awaited.
    package func waitForExit() -> Int32 {
        record.isOver.wait()
        return record.state.withLock { $0.status ?? -1 }
    }

    /// Runs a program to its end.
    ///
    /// - Returns: what it wrote to standard output.
    /// - Throws: ``Failure`` unless it exits with 0.
    @discardableResult
    package static func run(_ executable: String, _ arguments: [String]) async throws -> String {
        let child = try ChildProcess(executable, arguments)
        child.closeInput()
        let status = await child.exitStatus()
        guard status == 0 else { throw Failure("\(executable) \(arguments) exited with \(status):\n\(child.tail)") }
        return child.output
    }

    /// What went wrong, with the program's own words.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
        package init(_ description: String) { self.description = description }
    }
}

// MARK: Threads

extension ChildProcess {
    private func read(
        _ pipe: Pipe, into kept: any WritableKeyPath<Record.State, Data> & Sendable,
        _ onLine: @escaping @Sendable (String?) -> Void
    ) {
        record.isOver.enter()
        Thread.detachNewThread { [record] in
            var line = Data()
            while case let chunk = pipe.fileHandleForReading.availableData, !chunk.isEmpty {
                record.state.withLock { state in
                    state[keyPath: kept].append(chunk)
                    guard state[keyPath: kept].count > 2 * Self.keptBytes else { return }
                    state[keyPath: kept] = Data(state[keyPath: kept].suffix(Self.keptBytes))
                }
                var parts = chunk.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
                while let part = parts.popFirst() {
                    line.append(part)
                    // What stands behind the last line feed goes on in the next chunk.
                    guard !parts.isEmpty else { break }
                    onLine(String(decoding: line, as: UTF8.self))
                    line = Data()
                }
            }
            onLine(nil)
            record.isOver.leave()
        }
    }

    private func waitForEnd() {
        record.isOver.enter()
        Thread.detachNewThread { [record, pid] in
            var info = siginfo_t()
            while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
            record.state.withLock { state in
                // Here, where no signal can be on its way to a number that is free again.
                var status: Int32 = 0
                waitpid(pid, &status, 0)
                state.status = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
            }
            record.isOver.leave()
        }
    }
}

// MARK: Starting

extension ChildProcess {
    /// A write to a child that has ended is an error for whoever writes, and no reason to die.
    private static let ignoresBrokenPipes: Bool = {
        _ = Foundation.signal(SIGPIPE, SIG_IGN)
        return true
    }()

    private static func spawn(
        _ executable: String, _ arguments: [String], environment: [String: String], descriptors: [Int32]
    ) throws -> pid_t {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
            var flags = POSIX_SPAWN_CLOEXEC_DEFAULT
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
            var flags: Int32 = 0
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (target, source) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
        }
        #if !canImport(Darwin)
            // Sockets of ours among them, whose peers would not see them close while the child lives.
            for other in Int32(descriptors.count)..<min(1_024, getdtablesize()) {
                posix_spawn_file_actions_addclose(&actions, other)
            }
        #endif
        // It would inherit the signals that this thread blocks, on those of libdispatch SIGTERM, and the one we ignore.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        flags |= Int32(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var pid: pid_t = 0
        let failure = posix_spawnp(&pid, executable, &actions, &attributes, &words, &variables)
        guard failure == 0 else { throw Failure("\(executable) does not start: \(String(cString: strerror(failure)))") }
        return pid
    }
}
