internal import MQTTCore
internal import Synchronization

/// The batch of the last message: a message of the same topic, owed as that one, follows it without a look at the lanes.
///
/// Its lane keeps it, and the topic, until it is handed over: so both are held here without a count, which every message
/// would pay for.
struct OpenBatch {
    private let batch: Unmanaged<Batch>
    private let topic: StringIdentity
    private let generation: UInt64
    private let owes: Bool

    init(_ batch: Batch, of lane: TopicLane, owes: Bool) {
        self.batch = .passUnretained(batch)
        topic = StringIdentity(lane.topic)
        generation = lane.generation
        self.owes = owes
    }

    @inline(__always)
    func takes(
        _ message: borrowing MQTTMessage, owed ticket: IncomingFlight.Ticket?, _ registry: SubscriptionRegistry
    ) -> Bool {
        owes == (ticket != nil) && generation == registry.generation.load(ordering: .acquiring)
            && topic == StringIdentity(message.publish.topic)
    }

    /// - Returns: whether the batch is full now.
    @inline(__always)
    func append(_ message: consuming MQTTMessage, owed ticket: IncomingFlight.Ticket?) -> Bool {
        var message = Optional(message)
        return batch._withUnsafeGuaranteedRef { batch in
            if let message = message.take() { batch.append(message, owed: ticket) }
            return batch.isFull
        }
    }
}
