import MQTTCore
import NIOCore
import Synchronization

/// The last retained message of each topic (section 3.3.1.3), as a tree of topic levels so that filters find theirs.
final class RetainedStore: Sendable {
    private struct State {
        var root = RetainedNode()
        var count = 0
        /// What messages and levels take.
        var bytes = 0
        /// Before this no message expires.
        var nextExpiry: NIODeadline?
    }

    /// What one level of a topic takes, roughly: a topic may have 65,536 of them.
    private static let levelCost = 240
    /// How many levels are looked at in one go, before others have their turn.
    static let largestVisit = 20_000

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
            let isRemoval = message.isEmpty
            let path = RetainedPath(message.topic)
            let (old, missing) = state.root.find(path)
            let count = state.count + (isRemoval ? 0 : 1) - (old == nil ? 0 : 1)
            let bytes = state.bytes + (isRemoval ? 0 : message.cost) - (old?.cost ?? 0)
            guard isRemoval || count <= maximumCount && bytes + missing * Self.levelCost <= maximumBytes else {
                return false
            }
            let newLevels = state.root.set(isRemoval ? nil : message, at: path)
            state.count = count
            state.bytes = bytes + newLevels * Self.levelCost
            if !isRemoval, let expiry = message.expiry {
                state.nextExpiry = min(state.nextExpiry ?? expiry, expiry)
            }
            return true
        }
    }

    /// The retained messages whose topics match, but for those that have expired, which are forgotten.
    ///
    /// - Parameter visited: goes up by the levels that were looked at.
    func matches(_ filter: String, visited: inout Int, now: NIODeadline = .now()) -> [Message] {
        state.withLock { state in
            var found: [Message] = []
            state.root.collect(RetainedPath(filter).levels[...], into: &found, visited: &visited)
            let expired = found.filter { $0.hasExpired(now: now) }
            guard !expired.isEmpty else { return found }
            for message in expired { Self.remove(message, &state) }
            return found.filter { !$0.hasExpired(now: now) }
        }
    }

    /// Forgets what has expired; looks at nothing before something may have.
    func sweep(now: NIODeadline = .now()) {
        state.withLock { state in
            guard let nextExpiry = state.nextExpiry, nextExpiry <= now else { return }
            var all: [Message] = []
            state.nextExpiry = state.root.collectExpired(now: now, into: &all)
            for message in all { Self.remove(message, &state) }
        }
    }

    private static func remove(_ message: Message, _ state: inout State) {
        let change = state.root.set(nil, at: RetainedPath(message.topic))
        state.count -= 1
        state.bytes += change * levelCost - message.cost
    }
}
