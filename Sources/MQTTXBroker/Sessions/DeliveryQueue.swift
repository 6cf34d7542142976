import DequeModule
import MQTTCore
import NIOCore

/// The messages that wait for their client, in order, and what they cost.
struct DeliveryQueue: Sendable {
    private(set) var deliveries = Deque<Delivery>()
    /// The memory that they keep.
    private(set) var bytes = 0
    /// None of them expires before that.
    private var nextExpiry: NIODeadline?

    var isEmpty: Bool { deliveries.isEmpty }
    var count: Int { deliveries.count }
    var first: Delivery? { deliveries.first }

    var topics: Set<UTF8Key> { Set(deliveries.map { UTF8Key($0.message.topic) }) }

    mutating func append(_ delivery: Delivery) {
        bytes += delivery.message.cost
        deliveries.append(delivery)
        if let expiry = delivery.message.expiry { nextExpiry = min(expiry, nextExpiry ?? expiry) }
    }

    mutating func removeFirst() { bytes -= deliveries.removeFirst().message.cost }

    /// Takes out what is wanted of them.
    mutating func take(where isWanted: (Delivery) -> Bool) -> [Delivery] {
        var taken: [Delivery] = []
        var rest = Deque<Delivery>()
        for delivery in deliveries {
            if isWanted(delivery) { taken.append(delivery) } else { rest.append(delivery) }
        }
        guard !taken.isEmpty else { return [] }
        deliveries = rest
        bytes -= taken.reduce(0) { $0 + $1.message.cost }
        return taken
    }

    /// What nobody is to get any more takes no room from what comes; looks at nothing before something may have expired.
    mutating func discardExpired() {
        guard let nextExpiry else { return }
        let now = NIODeadline.now()
        guard nextExpiry <= now else { return }
        _ = take { $0.message.hasExpired(now: now) }
        self.nextExpiry = deliveries.lazy.compactMap(\.message.expiry).min()
    }
}
