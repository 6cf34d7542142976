import Foundation
import Synchronization
import Testing

@testable import mqttxx

/// A program that runs while a test does: its lines are read as they come. Letting it go ends it.
final class RunningTool: Sendable {
    /// The lines of standard output; to be read by one task.
    var lines: AsyncStream<String> { reader.output.lines }
    /// The lines of standard error; to be read by one task.
    var errorLines: AsyncStream<String> { reader.errors.lines }

    private let process: ChildProcess
    private let reader: Reader
    private let isInputOpen = Mutex(true)

    init(_ arguments: [String], program: String = Tool.path, environment: [String: String] = [:]) throws {
        // A program that does not read to the end must not end the tests.
        _ = Foundation.signal(SIGPIPE, SIG_IGN)
        process = try ChildProcess(program, arguments, environment: environment)
        reader = Reader(process)
        reader.start()
    }

    deinit {
        process.kill()
        closeInput()
    }

    /// The next line of standard output; nil at its end.
    func nextLine() async -> String? { await lines.first { _ in true } }

    func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(process.input, $0.baseAddress, $0.count) }
            // It does not want to hear more.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func closeInput() {
        isInputOpen.withLock { isOpen in
            if isOpen { close(process.input) }
            isOpen = false
        }
    }

    func interrupt() { process.signal(SIGINT) }
    func terminate() { process.signal(SIGTERM) }
    func hangUp() { process.signal(SIGHUP) }
    func kill() { process.kill() }

    /// What it has used of the processors so far.
    func processorTime() throws -> Duration {
        let text = try String(contentsOfFile: "/proc/\(process.id)/stat", encoding: .utf8)
        // After the name in parentheses: the state is the first, user and system time are the 12th and 13th.
        let fields = text[text.index(after: try #require(text.lastIndex(of: ")")))...].split(separator: " ")
        let ticks = try #require(Int(fields[11])) + #require(Int(fields[12]))
        return .milliseconds(ticks * 1000 / Int(sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Waits for the end and gives the exit status.
    func status() async -> Int32 { await result().status }

    /// Waits for the end and gives all that it has written.
    func result() async -> Tool.Result {
        await reader.ended()
        return Tool.Result(
            status: reader.status ?? -1, bytes: reader.output.bytes,
            errors: String(decoding: reader.errors.bytes, as: UTF8.self))
    }
}

/// Reads both streams of a process, on threads that end with it.
private final class Reader: Sendable {
    private struct State {
        var openStreams = 2
        var status: Int32?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    let output: LineCollector
    let errors: LineCollector
    private let process: ChildProcess
    private let state = Mutex(State())

    init(_ process: ChildProcess) {
        self.process = process
        output = LineCollector(process.output)
        errors = LineCollector(process.errors)
    }

    func start() {
        for stream in [output, errors] {
            Thread.detachNewThread {
                stream.readToEnd()
                self.streamEnded()
            }
        }
    }

    var status: Int32? { state.withLock { $0.status } }

    private func streamEnded() {
        let isLast = state.withLock { state in
            state.openStreams -= 1
            return state.openStreams == 0
        }
        guard isLast else { return }
        let status = process.wait()
        let waiters = state.withLock { state in
            state.status = status
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func ended() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status != nil
            }
            if hasEnded { continuation.resume() }
        }
    }
}

/// What came out of a pipe, whole and in lines.
private final class LineCollector: Sendable {
    let lines: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    private let file: Int32
    private let kept = Mutex<[UInt8]>([])

    init(_ file: Int32) {
        self.file = file
        (lines, continuation) = AsyncStream.makeStream()
    }

    var bytes: [UInt8] { kept.withLock { $0 } }

    func readToEnd() {
        var line: [UInt8] = []
        var space = [UInt8](repeating: 0, count: 64 * 1024)
        while case let count = read(file, &space, space.count), count > 0 {
            kept.withLock { $0 += space[..<count] }
            for byte in space[..<count] {
                if byte == UInt8(ascii: "\n") {
                    continuation.yield(String(decoding: line, as: UTF8.self))
                    line = []
                } else {
                    line.append(byte)
                }
            }
        }
        close(file)
        continuation.finish()
    }
}
