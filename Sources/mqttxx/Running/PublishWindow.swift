import DequeModule
import MQTTX

/// Messages on their way: when there are too many, the oldest is awaited.
struct PublishWindow {
    private let size: Int
    private var receipts = Deque<PublishReceipt>()

    init(size: Int) { self.size = size }

    mutating func add(_ receipt: PublishReceipt) async throws {
        receipts.append(receipt)
        while receipts.count > size, let oldest = receipts.popFirst() { try await oldest.outcome.get() }
    }

    mutating func finish() async throws {
        while let oldest = receipts.popFirst() { try await oldest.outcome.get() }
    }
}
