internal import DequeModule
internal import MQTTCore
internal import NIOCore

/// The responses to recent requests, so that a request that is delivered twice is executed once.
struct ReplayCache {
    struct Key: Hashable, Sendable {
        // Hashed once: a request is looked up, noted, ended and forgotten.
        private let requestID: UTF8Key
        private let replyTo: UTF8Key

        init(requestID: String, replyTo: String) {
            self.requestID = UTF8Key(requestID)
            self.replyTo = UTF8Key(replyTo)
        }

        var utf8Count: Int { requestID.string.utf8.count + replyTo.string.utf8.count }
    }

    /// A response as it was sent.
    struct Answer: Sendable {
        let payload: ByteBuffer
        let properties: Properties
    }

    enum Finding: Sendable {
        case new
        /// Being executed now.
        case running
        case answered(Answer)
        /// Executed, but the response was too large to be kept.
        case forgotten
    }

    private enum Entry {
        case running
        case answered(Answer?, size: Int)
    }

    private struct Expiry {
        let key: Key
        let deadline: NIODeadline
    }

    private let maxCount: Int
    private let maxBytes: Int
    private let lifetime: TimeAmount
    private var entries: [Key: Entry] = [:]
    private var order = Deque<Expiry>()
    private(set) var bytes = 0

    init(_ config: RPCConfig) {
        maxCount = max(0, config.replayCacheCount)
        maxBytes = max(0, config.replayCacheBytes)
        lifetime = TimeAmount(config.replayCacheDuration)
    }

    /// How many responses are remembered.
    var count: Int { order.count }

    mutating func find(_ key: Key, now: NIODeadline) -> Finding {
        expire(now)
        switch entries[key] {
        case nil: return .new
        case .running: return .running
        case .answered(let answer?, _): return .answered(answer)
        case .answered(nil, _): return .forgotten
        }
    }

    mutating func begin(_ key: Key) { entries[key] = .running }

    /// Remembers the response; nil if there was none to send.
    mutating func end(_ key: Key, _ answer: Answer?, now: NIODeadline) {
        guard let answer, maxCount > 0 else {
            entries[key] = nil
            return
        }
        let overhead = key.utf8Count + 256
        let whole = overhead + answer.payload.storageCapacity
        let isKept = whole <= maxBytes / 2
        let size = isKept ? whole : overhead
        entries[key] = .answered(isKept ? answer : nil, size: size)
        order.append(Expiry(key: key, deadline: now + lifetime))
        bytes += size
        while order.count > maxCount || bytes > maxBytes { removeOldest() }
    }

    private mutating func expire(_ now: NIODeadline) {
        while let oldest = order.first, oldest.deadline <= now { removeOldest() }
    }

    private mutating func removeOldest() {
        guard let oldest = order.popFirst() else { return }
        if case .answered(_, let size) = entries.removeValue(forKey: oldest.key) { bytes -= size }
    }
}
