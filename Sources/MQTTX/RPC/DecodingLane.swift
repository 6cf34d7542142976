internal import DequeModule
internal import MQTTXClient
internal import Synchronization

/// Messages that a user's codec has to decode, which may take its time, on their way off the receive path. In order, one
/// at a time, and no more than fit.
final class DecodingLane: Sendable {
    private struct State {
        var messages = Deque<MQTTMessage>()
        var bytes = 0
        var isDraining = false
    }

    private static let maxCount = 10_000
    private static let maxBytes = 16 * 1024 * 1024

    private let state = Mutex(State())

    /// - Returns: false if the lane is full.
    func append(_ message: MQTTMessage, _ decode: @escaping @Sendable (MQTTMessage) -> Void) -> Bool {
        state.withLock { state in
            let size = message.payload.readableBytes
            guard state.messages.count < Self.maxCount, state.messages.isEmpty || state.bytes + size <= Self.maxBytes
            else { return false }
            state.messages.append(message)
            state.bytes += size
            if !state.isDraining {
                state.isDraining = true
                // Ends by itself when the lane is empty; nobody has to await it.
                Task { while let message = self.next() { decode(message) } }
            }
            return true
        }
    }

    private func next() -> MQTTMessage? {
        state.withLock { state in
            guard let message = state.messages.popFirst() else {
                state.isDraining = false
                return nil
            }
            state.bytes -= message.payload.readableBytes
            return message
        }
    }
}
