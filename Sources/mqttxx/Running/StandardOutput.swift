import Foundation
import MQTTX
import Synchronization

/// Results, for programs and people alike. Every write goes out at once and whole.
enum StandardOutput {
    private static let lock = Mutex(())

    static func write(line: String) throws { try write(ByteBuffer(string: line + "\n")) }

    static func write(_ bytes: ByteBuffer) throws {
        try lock.withLock { _ in
            try bytes.withUnsafeReadableBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty { rest = rest.dropFirst(try writeSome(UnsafeRawBufferPointer(rebasing: rest))) }
            }
        }
    }

    private static func writeSome(_ bytes: UnsafeRawBufferPointer) throws -> Int {
        let count = Foundation.write(STDOUT_FILENO, bytes.baseAddress, bytes.count)
        if count >= 0 { return count }
        switch errno {
        case EINTR: return 0
        case EAGAIN:
            var wanted = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
            _ = poll(&wanted, 1, -1)
            return 0
        case EPIPE: throw BrokenPipe()
        default: throw OutputFailure(reason: String(cString: strerror(errno)))
        }
    }

    /// Waits until whoever reads the standard output has gone: a command that only prints has nothing to do any more.
    static func untilReaderHasGone() async throws {
        while true {
            var stream = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            if poll(&stream, 1, 0) > 0, stream.revents & Int16(POLLERR | POLLHUP) != 0 { throw BrokenPipe() }
            try await Task.sleep(for: .milliseconds(250))
        }
    }
}
