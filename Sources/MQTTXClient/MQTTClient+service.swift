internal import MQTTCore
internal import NIOCore
public import ServiceLifecycle
private import Synchronization

extension MQTTClient: Service {
    /// Connects and keeps trying, the very first connection included, until the task is cancelled, ``disconnect(drain:)``
    /// is called, or the service group shuts down gracefully; then it disconnects and returns.
    ///
    /// - Throws: ``MQTTXError`` when another attempt makes no sense: the session was taken over, the broker bans us,
    ///   reconnecting is off; ``ErrorCode/connectionFailed`` if the client is running already; `CancellationError`.
    public func run() async throws {
        let ended = core.eventLoop.makePromise(of: Void.self)
        guard let task = start(retriesFirst: true, ended: ended) else {
            ended.succeed()
            throw MQTTXError(.connectionFailed, "the client is running already")
        }
        defer { forget(task) }
        do {
            try await withGracefulShutdownHandler {
                try await withTaskCancellationHandler {
                    try await ended.futureResult.get()
                } onCancel: {
                    task.cancel()
                }
            } onGracefulShutdown: { [core] in
                let isConnected = core.shared.withLock { $0.state.isConnected }
                core.stop(Disconnect())
                if !isConnected { task.cancel() }
            }
            try Task.checkCancellation()
        } catch {
            try Task.checkCancellation()
            if core.shared.withLock({ $0.isStopping }) { return }
            throw error
        }
    }
}
