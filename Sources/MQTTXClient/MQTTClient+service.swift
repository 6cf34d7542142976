internal import MQTTCore
internal import NIOCore
public import ServiceLifecycle
private import Synchronization

extension MQTTClient: Service {
    /// How long messages may take to reach the broker when the service shuts down gracefully.
    private static let shutdownDrain = Duration.seconds(5)

    /// Connects and keeps trying, the very first connection included, until the task is cancelled, ``disconnect(drain:)``
    /// is called, or the service group shuts down gracefully. Then it disconnects and returns; gracefully, messages of ours
    /// that wait or are in flight get 5 seconds to reach the broker first.
    ///
    /// - Throws: ``MQTTXError`` when another attempt makes no sense: the session was taken over, the broker bans us,
    ///   reconnecting is off; ``ErrorCode/connectionFailed`` if the client is running already; `CancellationError`.
    public func run() async throws {
        await ended()
        let ended = core.eventLoop.makePromise(of: Void.self)
        guard let task = start(retriesFirst: true, ended: ended) else {
            ended.succeed()
            throw MQTTXError(.connectionFailed, "the client is running already")
        }
        defer { forget(task) }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await gracefulShutdown()
                    await self.disconnect(drain: Self.shutdownDrain)
                }
                // The client has ended by itself: nobody has to wait for a shutdown.
                defer { group.cancelAll() }
                try await withTaskCancellationHandler {
                    try await ended.futureResult.get()
                } onCancel: {
                    task.cancel()
                }
            }
            try Task.checkCancellation()
        } catch {
            try Task.checkCancellation()
            if core.shared.withLock({ $0.isStopping }) { return }
            throw error
        }
    }
}
