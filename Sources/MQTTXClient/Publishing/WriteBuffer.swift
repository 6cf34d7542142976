package import NIOCore

/// The bytes of the next write, and what is known of those that the socket has not taken yet.
package struct WriteBuffer {
    /// Above so many bytes that the socket has not taken, messages wait in the queue.
    static let highWater = 256 * 1024

    /// The bytes of one write, and what counts of them.
    package struct Write: Sendable {
        package let bytes: ByteBuffer
        let size: Int
        let messages: Int
        let answers: Int
    }

    /// Whole packets for the next write.
    var bytes = ByteBuffer()
    /// QoS 0 messages among them.
    var messages = 0
    /// Bytes among them of packets that answer the broker's.
    var answers = 0
    /// The same of the writes under way.
    private var writing = (bytes: 0, messages: 0, answers: 0)
    private var spare: ByteBuffer?

    var isEmpty: Bool { bytes.readableBytes == 0 }
    var hasRoom: Bool { bytes.readableBytes + writing.bytes < Self.highWater }
    /// QoS 0 messages that the socket has not taken.
    var unwrittenMessages: Int { messages + writing.messages }
    /// Bytes of answers that the broker has not taken.
    var unreadAnswers: Int { answers + writing.answers }

    /// What goes to the socket now.
    package mutating func take() -> Write {
        let taken = Write(bytes: bytes, size: bytes.readableBytes, messages: messages, answers: answers)
        writing = (writing.bytes + taken.size, writing.messages + taken.messages, writing.answers + taken.answers)
        messages = 0
        answers = 0
        bytes = ByteBuffer()
        if var next = spare.take() {
            // The socket has let go of it by now: its memory is used again.
            next.clear()
            bytes = next
        }
        return taken
    }

    /// The socket has taken it.
    package mutating func written(_ write: Write) {
        writing = (writing.bytes - write.size, writing.messages - write.messages, writing.answers - write.answers)
        if spare == nil, write.bytes.storageCapacity <= 4 * Self.highWater { spare = write.bytes }
    }

    /// For another connection.
    mutating func clear() {
        bytes.clear()
        messages = 0
        answers = 0
        writing = (0, 0, 0)
    }
}
