import ArgumentParser
import Dispatch
import Foundation
import MQTTX
import Synchronization

/// Reads standard input without holding a task's thread; cancelling the task ends the waiting.
final class StandardInput: Sendable {
    private static let chunkSize = 64 * 1024

    private let queue = DispatchQueue(label: "standard input")
    private let waiter = Mutex<CheckedContinuation<ByteBuffer?, Never>?>(nil)

    /// The next bytes; nil at the end.
    func chunk() async throws -> ByteBuffer? {
        let bytes = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiter.withLock { $0 = continuation }
                if Task.isCancelled { answer(nil) } else { queue.async { self.answer(Self.read()) } }
            }
        } onCancel: {
            answer(nil)
        }
        try Task.checkCancellation()
        return bytes
    }

    /// All of it, up to a limit.
    func all(limit: Int) async throws -> ByteBuffer {
        var all = ByteBuffer()
        while var bytes = try await chunk() {
            all.writeBuffer(&bytes)
            guard all.readableBytes <= limit else {
                throw MQTTXError(.payloadTooLarge, "standard input has more than \(limit) bytes")
            }
        }
        return all
    }

    private func answer(_ bytes: ByteBuffer?) {
        waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }?.resume(returning: bytes)
    }

    private static func read() -> ByteBuffer? {
        var bytes = ByteBuffer()
        let count = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: chunkSize) { space in
            while true {
                let count = Foundation.read(STDIN_FILENO, space.baseAddress, chunkSize)
                if count < 0, errno == EINTR { continue }
                return max(0, count)
            }
        }
        return count > 0 ? bytes : nil
    }
}

/// Standard input line by line, without the line ends.
struct InputLines {
    private let input = StandardInput()
    private var buffer = ByteBuffer()
    private var isAtEnd = false
    private let limit: Int

    /// - Parameter limit: the longest line taken, in bytes.
    init(limit: Int) { self.limit = limit }

    mutating func next() async throws -> ByteBuffer? {
        var searched = 0
        while true {
            if let end = buffer.readableBytesView.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer.readSlice(length: end - buffer.readerIndex)
                buffer.moveReaderIndex(forwardBy: 1)
                return line
            }
            searched = buffer.readableBytes
            guard searched <= limit else {
                throw MQTTXError(.payloadTooLarge, "a line has more than \(limit) bytes")
            }
            if isAtEnd {
                guard searched > 0 else { return nil }
                return buffer.readSlice(length: searched)
            }
            buffer.discardReadBytes()
            if var chunk = try await input.chunk() { buffer.writeBuffer(&chunk) } else { isAtEnd = true }
        }
    }
}
