import MQTTCore
import NIOCore
import Synchronization

/// The last retained message of each topic (section 3.3.1.3), as a tree of topic levels so that filters find theirs.
final class RetainedStore: Sendable {
    private struct State {
        var root = RetainedNode()
        var count = 0
        var bytes = 0
    }

    private let state = Mutex(State())
    private let maximumCount: Int
    private let maximumBytes: Int

    init(maximumCount: Int, maximumBytes: Int) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    var count: Int { state.withLock { $0.count } }
    var bytes: Int { state.withLock { $0.bytes } }

    /// Keeps the message in place of the one before; an empty payload removes that (MQTT-3.3.1-6, -7).
    ///
    /// - Returns: whether there was room.
    func store(_ message: Message) -> Bool {
        state.withLock { state in
            let isRemoval = message.content.payload.readableBytes == 0
            let path = RetainedPath(message.content.topic)
            let old = state.root.message(at: path)
            let count = state.count + (isRemoval ? 0 : 1) - (old == nil ? 0 : 1)
            let bytes = state.bytes + (isRemoval ? 0 : message.content.size) - (old?.content.size ?? 0)
            guard isRemoval || count <= maximumCount && bytes <= maximumBytes else { return false }
            state.root.set(isRemoval ? nil : message, at: path)
            state.count = count
            state.bytes = bytes
            return true
        }
    }

    /// The retained messages whose topics match, but for those that have expired, which are forgotten.
    func matches(_ filter: String, now: NIODeadline = .now()) -> [Message] {
        state.withLock { state in
            var found: [Message] = []
            state.root.collect(RetainedPath(filter).levels[...], into: &found)
            let expired = found.filter { $0.hasExpired(now: now) }
            guard !expired.isEmpty else { return found }
            for message in expired { Self.remove(message, &state) }
            return found.filter { !$0.hasExpired(now: now) }
        }
    }

    /// Forgets what has expired.
    func sweep(now: NIODeadline = .now()) {
        state.withLock { state in
            var all: [Message] = []
            state.root.collectExpired(now: now, into: &all)
            for message in all { Self.remove(message, &state) }
        }
    }

    private static func remove(_ message: Message, _ state: inout State) {
        state.root.set(nil, at: RetainedPath(message.content.topic))
        state.count -= 1
        state.bytes -= message.content.size
    }
}
