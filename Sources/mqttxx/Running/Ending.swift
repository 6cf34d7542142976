import MQTTX

/// How a handler ends the command that listens.
final class Ending: Sendable {
    private let ends: AsyncThrowingStream<Void, any Error>
    private let continuation: AsyncThrowingStream<Void, any Error>.Continuation

    init() { (ends, continuation) = AsyncThrowingStream.makeStream(bufferingPolicy: .bufferingOldest(1)) }

    func finish(_ error: (any Error)? = nil) { continuation.finish(throwing: error) }

    /// Waits until it is said, or the client has given up, or nobody reads what is printed.
    func await(_ client: MQTTClient) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for try await _ in self.ends {}
                try Task.checkCancellation()
            }
            group.addTask { try await client.untilItEnds() }
            group.addTask { try await StandardOutput.untilReaderHasGone() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
