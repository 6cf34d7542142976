import DequeModule
import MQTTX

/// Messages on their way: when there are too many, the oldest is awaited.
struct PublishWindow {
    private let size: Int
    private let whenRefused: (MQTTXError) throws -> Void
    private var receipts = Deque<PublishReceipt>()

    /// - Parameter whenRefused: told of each message that the broker does not take; what it throws ends the rest.
    init(size: Int, whenRefused: @escaping (MQTTXError) throws -> Void = { throw $0 }) {
        self.size = size
        self.whenRefused = whenRefused
    }

    mutating func add(_ receipt: PublishReceipt) async throws {
        receipts.append(receipt)
        while receipts.count > size { try await awaitOldest() }
    }

    mutating func finish() async throws {
        while !receipts.isEmpty { try await awaitOldest() }
    }

    private mutating func awaitOldest() async throws {
        guard let oldest = receipts.popFirst() else { return }
        do {
            try await oldest.outcome.get()
        } catch let error as MQTTXError where error.reasonCode != nil && error.code != .connectionLost {
            try whenRefused(error)
        }
    }
}
