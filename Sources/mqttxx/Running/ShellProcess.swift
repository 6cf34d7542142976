import Dispatch
import Foundation
import MQTTX
import Synchronization

/// One run of a shell command.
final class ShellProcess: Sendable {
    struct Ending: Sendable {
        var status: Int32
        var output: ByteBuffer
        var errors: ByteBuffer
    }

    private static let largestOutput = 64 * 1024 * 1024
    private static let largestErrors = 64 * 1024

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let errors = Pipe()
    private let hasEnded = DispatchGroup()

    /// Starts it.
    ///
    /// - Throws: `MQTTXError` if the system has no more room for processes or pipes.
    init(_ command: String) throws(MQTTXError) {
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        hasEnded.enter()
        process.terminationHandler = { [hasEnded] _ in hasEnded.leave() }
        do {
            try process.run()
        } catch {
            hasEnded.leave()
            throw MQTTXError(.rpcExecutionError, "the command could not be started: \(error)")
        }
    }

    /// Ends it and what it started: the system's library gives it a process group of its own.
    func kill() {
        let pid = process.processIdentifier
        Foundation.kill(-pid, SIGKILL)
        Foundation.kill(pid, SIGKILL)
    }

    /// Feeds it, takes what it writes, and waits for it. To be called once.
    func ending(input bytes: ByteBuffer) async -> Ending {
        await withCheckedContinuation { continuation in
            // Pipes block: threads for them, outside the tasks' pool. All end with the command.
            let queue = DispatchQueue(label: "command", attributes: .concurrent)
            let collected = Collected()
            queue.async {
                try? self.input.fileHandleForWriting.write(contentsOf: Data(bytes.readableBytesView))
                try? self.input.fileHandleForWriting.close()
            }
            queue.async(group: hasEnded) { collected.output = Self.read(self.output, limit: Self.largestOutput) }
            queue.async(group: hasEnded) { collected.errors = Self.read(self.errors, limit: Self.largestErrors) }
            hasEnded.notify(queue: queue) {
                continuation.resume(
                    returning: Ending(
                        status: self.process.terminationStatus, output: collected.output, errors: collected.errors))
            }
        }
    }

    /// Reads to the end; what is beyond the limit is thrown away.
    private static func read(_ pipe: Pipe, limit: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        while let data = try? pipe.fileHandleForReading.read(upToCount: 64 * 1024), !data.isEmpty {
            bytes.writeBytes(data.prefix(limit - bytes.readableBytes))
        }
        return bytes
    }

    private final class Collected: Sendable {
        private let buffers = Mutex((ByteBuffer(), ByteBuffer()))

        var output: ByteBuffer {
            get { buffers.withLock { $0.0 } }
            set { buffers.withLock { $0.0 = newValue } }
        }
        var errors: ByteBuffer {
            get { buffers.withLock { $0.1 } }
            set { buffers.withLock { $0.1 = newValue } }
        }
    }
}
