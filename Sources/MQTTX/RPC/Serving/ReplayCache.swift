internal import DequeModule
internal import MQTTCore
internal import MQTTXProtocol
internal import NIOCore

/// The responses to recent requests, so that a request that is delivered twice is executed once.
struct ReplayCache {
    struct Key: Equatable, Sendable {
        private let requestID: UTF8Key
        private let replyTo: UTF8Key

        init(requestID: String, replyTo: String) {
            self.requestID = UTF8Key(requestID)
            self.replyTo = UTF8Key(replyTo)
        }

        var hash: UInt64 { requestID.hash &* 0x9E37_79B9_7F4A_7C15 &+ replyTo.hash }
        var utf8Count: Int { requestID.string.utf8.count + replyTo.string.utf8.count }
    }

    /// A request and what became of it.
    final class Entry: Chained, @unchecked Sendable {
        // Unchecked, also for exclusive access: guarded as the cache is.

        let key: Key
        let form: MessageForm
        let hash: UInt64
        @exclusivity(unchecked)
        var next: Entry?
        @exclusivity(unchecked)
        fileprivate var isAnswered = false
        @exclusivity(unchecked)
        fileprivate var answer: ByteBuffer?
        @exclusivity(unchecked)
        fileprivate var size = 0
        @exclusivity(unchecked)
        fileprivate var deadline = NIODeadline.distantFuture

        init(_ key: Key, _ form: MessageForm) {
            self.key = key
            self.form = form
            hash = key.hash
        }
    }

    enum Finding: Sendable {
        case new
        /// Being executed now.
        case running
        /// With this payload, in this form.
        case answered(ByteBuffer, MessageForm)
        /// Executed, but the response was too large to be kept.
        case forgotten
    }

    private let maxCount: Int
    private let maxBytes: Int
    private let lifetime: TimeAmount
    private var entries = ChainedTable<Entry>()
    /// Those that are answered, oldest first.
    private var order = Deque<Entry>()
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
        guard let entry = entries.find(key, hash: key.hash) else { return .new }
        guard entry.isAnswered else { return .running }
        return entry.answer.map { .answered($0, entry.form) } ?? .forgotten
    }

    /// Remembers a request that is new.
    mutating func begin(_ entry: Entry) { entries.insert(entry) }

    /// Remembers the response's payload; nil if there was none to send.
    ///
    /// Not its properties: they follow from the request, and what is kept is let go of long after it was last looked at, when
    /// each object costs a look into memory.
    mutating func end(_ entry: Entry, _ answer: ByteBuffer?, now: NIODeadline) {
        guard let answer, maxCount > 0 else { return entries.remove(entry) }
        let overhead = entry.key.utf8Count + 256
        let whole = overhead + answer.storageCapacity
        let isKept = whole <= maxBytes / 2
        entry.isAnswered = true
        entry.answer = isKept ? answer : nil
        entry.size = isKept ? whole : overhead
        entry.deadline = now + lifetime
        order.append(entry)
        bytes += entry.size
        while order.count > maxCount || bytes > maxBytes { removeOldest() }
    }

    private mutating func expire(_ now: NIODeadline) {
        while let oldest = order.first, oldest.deadline <= now { removeOldest() }
    }

    private mutating func removeOldest() {
        guard let oldest = order.popFirst() else { return }
        entries.remove(oldest)
        bytes -= oldest.size
    }
}
