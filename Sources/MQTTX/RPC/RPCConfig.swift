public import MQTTXProtocol

/// How an RPC endpoint behaves. The first two defaults are those of the Python package.
public struct RPCConfig: Sendable {
    /// How long a call waits for its response where none is said. Zero times out at once.
    public var defaultTimeout: Duration
    /// How many calls of ours may be waiting at once; the next fails with ``ErrorCode/tooManyPendingCalls``.
    public var maxConcurrentCalls: Int
    /// How many requests are served at once; the next is answered with ``ErrorCode/tooManyPendingCalls``.
    public var maxConcurrentRequests: Int
    /// The form of our requests. Nil: ``MessageForm/dual`` on MQTT 5.0, ``MessageForm/envelope`` on 3.1.1. Responses take
    /// the form of their request.
    public var form: MessageForm?
    /// Where handlers run; nil: in Swift's pool of threads. ``MQTTClient/taskExecutor`` saves the way there and back, for handlers
    /// that never block their thread.
    public var taskExecutor: (any TaskExecutor)?
    /// For how many requests the response is remembered, so that one delivered twice is executed once; 0 for none.
    public var replayCacheCount: Int
    /// How long a response is remembered.
    public var replayCacheDuration: Duration
    /// How many bytes the remembered responses may hold in memory.
    public var replayCacheBytes: Int

    /// - Parameters:
    ///   - defaultTimeout: how long a call waits for its response.
    ///   - maxConcurrentCalls: how many calls may be waiting at once.
    ///   - maxConcurrentRequests: how many requests are served at once.
    ///   - form: the form of our requests; nil for what the connection allows.
    ///   - taskExecutor: where handlers run; nil for Swift's pool of threads.
    public init(
        defaultTimeout: Duration = .seconds(30), maxConcurrentCalls: Int = 100, maxConcurrentRequests: Int = 100,
        form: MessageForm? = nil, taskExecutor: (any TaskExecutor)? = nil
    ) {
        self.defaultTimeout = defaultTimeout
        self.maxConcurrentCalls = maxConcurrentCalls
        self.maxConcurrentRequests = maxConcurrentRequests
        self.form = form
        self.taskExecutor = taskExecutor
        replayCacheCount = 1_024
        replayCacheDuration = .seconds(600)
        replayCacheBytes = 8 * 1024 * 1024
    }
}
