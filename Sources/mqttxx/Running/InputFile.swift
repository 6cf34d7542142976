import ArgumentParser
import Dispatch
import Foundation
import MQTTX
import Synchronization

/// Reads standard input, or a file, without holding a task's thread; cancelling the task ends the waiting.
final class InputFile: Sendable {
    static let standard = InputFile(STDIN_FILENO, name: "standard input")
    private static let chunkSize = 64 * 1024

    private let descriptor: Int32
    private let name: String
    /// Known beforehand for what is no pipe.
    private let size: Int?
    private let queue = DispatchQueue(label: "input")
    private let waiter = Mutex<CheckedContinuation<ByteBuffer?, any Error>?>(nil)

    private init(_ descriptor: Int32, name: String, size: Int? = nil) {
        self.descriptor = descriptor
        self.name = name
        self.size = size
    }

    /// Opens a file; a pipe with a name may be one.
    ///
    /// - Throws: `ValidationError` if it can't be read.
    convenience init(path: String) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            throw ValidationError("cannot read \(path): it is a directory")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unreadable(path) }
        let size = lseek(descriptor, 0, SEEK_END)
        lseek(descriptor, 0, SEEK_SET)
        self.init(descriptor, name: path, size: size >= 0 ? Int(size) : nil)
    }

    /// The next bytes; nil at the end.
    ///
    /// - Throws: `ValidationError` if they can't be read; `CancellationError`.
    func chunk() async throws -> ByteBuffer? {
        let bytes = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                waiter.withLock { $0 = continuation }
                if Task.isCancelled {
                    answer(.success(nil))
                } else {
                    queue.async { self.answer(Result { try self.read() }) }
                }
            }
        } onCancel: {
            answer(.success(nil))
        }
        try Task.checkCancellation()
        return bytes
    }

    /// All of it, up to a limit.
    func all(limit: Int) async throws -> ByteBuffer {
        var all = ByteBuffer()
        if let size, size <= limit { all.reserveCapacity(size) }
        try check(size ?? 0, limit)
        while var bytes = try await chunk() {
            all.writeBuffer(&bytes)
            try check(all.readableBytes, limit)
        }
        return all
    }

    private func check(_ size: Int, _ limit: Int) throws(MQTTXError) {
        guard size <= limit else { throw MQTTXError(.payloadTooLarge, "\(name) has more than \(limit) bytes") }
    }

    private func answer(_ bytes: Result<ByteBuffer?, any Error>) {
        waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }?.resume(with: bytes)
    }

    private func read() throws -> ByteBuffer? {
        var bytes = ByteBuffer()
        let count = try bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunkSize) { space in
            while true {
                let count = Foundation.read(descriptor, space.baseAddress, Self.chunkSize)
                if count >= 0 { return count }
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                    _ = poll(&wanted, 1, -1)
                default: throw Self.unreadable(name)
                }
            }
        }
        return count > 0 ? bytes : nil
    }

    private static func unreadable(_ name: String) -> ValidationError {
        ValidationError("cannot read \(name): \(String(cString: strerror(errno)))")
    }
}

/// Standard input line by line, without the line ends.
struct InputLines {
    private let input = InputFile.standard
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
