import Foundation
import MQTTX

/// What passes between this process and a child: one input, all that it writes, and its end.
struct Conversation: Sendable {
    struct Ending: Sendable {
        var status: Int32
        var output: ByteBuffer
        var errors: ByteBuffer
        /// Whether the child wrote more than is kept.
        var isOutputCut: Bool
    }

    static let largestOutput = 64 * 1024 * 1024
    /// The end of standard error is what is wanted: this much of it is kept at least.
    private static let latestErrors = 64 * 1024

    let process: ChildProcess
    private let input: ByteBuffer

    init(_ process: ChildProcess, input: ByteBuffer) {
        self.process = process
        self.input = input
    }

    /// Feeds it, takes what it writes, and waits for it. To be called once; kill the process to end it early.
    func ending() async -> Ending {
        await withCheckedContinuation { continuation in
            // Waiting for a child blocks: a thread of its own, which ends with the child and is not one of few.
            Thread.detachNewThread { continuation.resume(returning: converse()) }
        }
    }

    private func converse() -> Ending {
        _ = fcntl(process.input, F_SETFL, O_NONBLOCK)
        var input = input
        var (output, errors) = (ByteBuffer(), ByteBuffer())
        var isOutputCut = false
        var streams = [
            pollfd(fd: process.input, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: process.output, events: Int16(POLLIN), revents: 0),
            pollfd(fd: process.errors, events: Int16(POLLIN), revents: 0),
        ]
        while streams[1].fd >= 0 || streams[2].fd >= 0 {
            guard poll(&streams, nfds_t(streams.count), 1_000) > 0 else {
                // What has left the process group outlives it, and may hold the pipes for as long as it likes.
                if process.isKilled { break }
                continue
            }
            if streams[0].revents != 0, !Self.write(&input, to: streams[0].fd) { Self.close(&streams[0]) }
            if streams[1].revents != 0 {
                if !Self.read(streams[1].fd, into: &output) { Self.close(&streams[1]) }
                if output.readableBytes > Self.largestOutput {
                    isOutputCut = true
                    output.clear(minimumCapacity: 0)
                }
            }
            if streams[2].revents != 0 {
                if !Self.read(streams[2].fd, into: &errors) { Self.close(&streams[2]) }
                if errors.readableBytes > 4 * Self.latestErrors {
                    errors.moveReaderIndex(forwardBy: errors.readableBytes - Self.latestErrors)
                    errors.discardReadBytes()
                }
            }
        }
        for index in streams.indices { Self.close(&streams[index]) }
        return Ending(status: process.wait(), output: output, errors: errors, isOutputCut: isOutputCut)
    }

    private static func close(_ stream: inout pollfd) {
        guard stream.fd >= 0 else { return }
        Foundation.close(stream.fd)
        // One that poll passes over.
        stream.fd = -1
    }

    /// - Returns: whether there is more to write.
    private static func write(_ bytes: inout ByteBuffer, to file: Int32) -> Bool {
        let isOpen = bytes.readWithUnsafeReadableBytes { space in
            let count = Foundation.write(file, space.baseAddress, space.count)
            return (max(0, count), count >= 0 || errno == EAGAIN || errno == EINTR)
        }
        return isOpen && bytes.readableBytes > 0
    }

    /// - Returns: whether more may come.
    private static func read(_ file: Int32, into bytes: inout ByteBuffer) -> Bool {
        let count = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: 64 * 1024) { space in
            while true {
                let count = Foundation.read(file, space.baseAddress, space.count)
                if count < 0, errno == EINTR { continue }
                return max(0, count)
            }
        }
        return count > 0
    }
}
