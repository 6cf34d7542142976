import Foundation
import Synchronization

/// A process whose lines are read as they come. It gets a pipe as standard input, which closes when the tests end in
/// whatever way; programs started here end by that.
final class ChildProcess: Sendable {
    private struct State {
        var tail = ""
        var status: Int32?
        var waiters: [CheckedContinuation<Int32, Never>] = []
    }

    private let process: Process
    private let input: Pipe
    private let state = Mutex(State())

    private static let starting = NSLock()

    /// - Parameter onLine: called for every line of standard output and standard error, on threads of their own, and with
    ///   nil when standard output ends.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        onLine: @escaping @Sendable (String?) -> Void = { _ in }
    ) throws {
        // A child started at the same time must not inherit our ends: this one would never see its input close.
        Self.starting.lock()
        defer { Self.starting.unlock() }
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        let errors = Pipe()
        for pipe in [input, output, errors] {
            _ = fcntl(pipe.fileHandleForReading.fileDescriptor, F_SETFD, FD_CLOEXEC)
            _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        self.process = process
        self.input = input
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        process.terminationHandler = { [weak self] in self?.ended($0.terminationStatus) }
        try Self.withoutBlockedSignals { try process.run() }
        read(output, onLine, isOutput: true)
        read(errors, onLine, isOutput: false)
    }

    /// A child inherits the signals that the thread blocks which starts it; on those of libdispatch SIGTERM is among them.
    private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var previous = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        try body()
    }

    private func read(_ pipe: Pipe, _ onLine: @escaping @Sendable (String?) -> Void, isOutput: Bool) {
        let file = pipe.fileHandleForReading
        Thread.detachNewThread { [weak self] in
            var rest = Data()
            while case let chunk = file.availableData, !chunk.isEmpty {
                rest.append(chunk)
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
                    rest = Data(rest[rest.index(after: end)...])
                    self?.keep(line)
                    onLine(line)
                }
            }
            guard isOutput else { return }
            onLine(nil)
            // Foundation notices the end of a child by a socket that children started at the same time may hold as well.
            var info = siginfo_t()
            guard let self, waitid(P_PID, id_t(self.process.processIdentifier), &info, WEXITED | WNOWAIT) == 0 else {
                return
            }
            self.ended(info._sifields._sigchld.si_status)
        }
    }

    /// The latest output, for the messages of failed tests.
    var tail: String { state.withLock { $0.tail } }

    private func keep(_ line: String) {
        state.withLock { $0.tail = String(($0.tail + line.prefix(500) + "\n").suffix(8_000)) }
    }

    func send(_ line: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    func signal(_ number: Int32) { _ = kill(process.processIdentifier, number) }

    /// Ends standard input, and the process by that.
    func closeInput() { try? input.fileHandleForWriting.close() }

    /// Waits until the process has ended; returns its exit status.
    @discardableResult
    func exitStatus() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    private func ended(_ status: Int32) {
        let waiters = state.withLock { state -> [CheckedContinuation<Int32, Never>] in
            guard state.status == nil else { return [] }
            state.status = status
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }

    /// Runs a program to its end.
    ///
    /// - Throws: ``Failure`` unless it exits with 0.
    @discardableResult
    static func run(_ executable: String, _ arguments: [String]) async throws -> String {
        let child = try ChildProcess(executable, arguments)
        child.closeInput()
        let status = await child.exitStatus()
        guard status == 0 else { throw Failure("\(executable) \(arguments) exited with \(status):\n\(child.tail)") }
        return child.tail
    }

    /// What went wrong, with the program's own words.
    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }
}
