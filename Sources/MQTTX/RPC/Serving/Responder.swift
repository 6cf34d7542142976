internal import Logging
internal import MQTTCore
internal import MQTTXClient
internal import MQTTXProtocol
internal import NIOCore
internal import Synchronization

/// Serves requests: so many at once, each in a task of its own, and each answered once.
final class Responder: Sendable {
    private struct State {
        var methods: [String: Method] = [:]
        /// The requests that are served; nil until the task is known.
        var running: [UInt64: Task<Void, Never>?] = [:]
        var nextID: UInt64 = 0
        var replay: ReplayCache
        var isClosed = false
        /// Those who wait for the last handler after ``Responder/close()``.
        var closing: [CheckedContinuation<Void, Never>] = []
    }

    private enum Decision {
        case taken(id: UInt64, Method?)
        case ignore(String)
        case answerAgain(ReplayCache.Answer)
        case refuse
    }

    private static let ping = "__ping__"

    // The client holds the endpoint through its subscriptions.
    private weak let client: MQTTClient?
    private let coder: MessageCoder
    private let limit: Int
    private let executor: (any TaskExecutor)?
    // Of the client's configuration, which is a large value to copy for every answer.
    private let largestPayload: Int
    private let logger: Logger
    private let authCallback: RPCAuthCallback?
    private let state: Mutex<State>

    init(client: MQTTClient, coder: MessageCoder, config: RPCConfig, authCallback: RPCAuthCallback?) {
        self.client = client
        self.coder = coder
        limit = max(0, config.maxConcurrentRequests)
        executor = config.taskExecutor
        largestPayload = client.config.maxPayloadSize
        logger = client.config.logger
        self.authCallback = authCallback
        state = Mutex(State(replay: ReplayCache(config)))
    }

    func register(_ name: String, _ method: Method) { state.withLock { $0.methods[name] = method } }

    func unregister(_ name: String) -> Bool { state.withLock { $0.methods.removeValue(forKey: name) != nil } }

    /// Cancels the handlers and waits until they have returned. Nothing is answered afterwards.
    func close() async {
        let running = state.withLock { state in
            state.isClosed = true
            return Array(state.running.values)
        }
        for task in running { task?.cancel() }
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if !state.running.isEmpty { state.closing.append(continuation) }
                return state.running.isEmpty
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Takes a request or refuses it; returns at once.
    func accept(_ request: RPCRequest, form: MessageForm, topic: String) {
        do throws(MQTTXError) {
            try TopicName.validate(request.replyTo)
        } catch {
            client?.reportIgnored(topic: topic, reason: "a request that can't be answered: \(error.message)")
            return
        }
        let key = ReplayCache.Key(requestID: request.requestID, replyTo: request.replyTo)
        switch decide(request, form, key) {
        case .taken(let id, let method):
            start(request, method, form, key, id)
        case .ignore(let reason):
            client?.reportIgnored(topic: topic, reason: reason)
        case .answerAgain(let answer):
            offer(answer, to: request.replyTo)
        case .refuse:
            let error = MQTTXError(.tooManyPendingCalls, "\(limit) requests are being served already")
            guard let answer = try? encode(.error(error.description), request, form) else { return }
            offer(answer, to: request.replyTo)
        }
    }

    private func decide(_ request: RPCRequest, _ form: MessageForm, _ key: ReplayCache.Key) -> Decision {
        state.withLock { state in
            guard !state.isClosed else { return .ignore("the endpoint is closed") }
            switch state.replay.find(key, now: .now()) {
            case .running: return .ignore("a request that is being served already")
            case .forgotten: return .ignore("a request that was answered already")
            case .answered(let answer): return .answerAgain(answer)
            case .new: break
            }
            guard state.running.count < limit else { return .refuse }
            state.replay.begin(key)
            state.nextID &+= 1
            state.running[state.nextID] = .some(nil)
            return .taken(id: state.nextID, state.methods[request.method])
        }
    }

    /// Begins to serve. Outside the lock: a task that is made may run at once, and would spin for it.
    private func start(
        _ request: RPCRequest, _ method: Method?, _ form: MessageForm, _ key: ReplayCache.Key, _ id: UInt64
    ) {
        // Ends with the handler; close() cancels and awaits it.
        let task = Task(executorPreference: executor) { await self.serve(request, method, form, key, id) }
        let isClosed = state.withLock { state in
            if state.running.index(forKey: id) != nil { state.running[id] = task }
            return state.isClosed
        }
        if isClosed { task.cancel() }
    }

    private func serve(
        _ request: RPCRequest, _ method: Method?, _ form: MessageForm, _ key: ReplayCache.Key, _ id: UInt64
    ) async {
        let answer = answer(await outcome(of: request, method), request, form)
        let isClosed = state.withLock { state in
            state.replay.end(key, answer, now: .now())
            return state.isClosed
        }
        if let answer, !isClosed { await send(answer, request, form) }
        let closing = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.running[id] = nil
            guard state.running.isEmpty, !state.closing.isEmpty else { return [] }
            defer { state.closing = [] }
            return state.closing
        }
        for continuation in closing { continuation.resume() }
    }

    private func outcome(of request: RPCRequest, _ method: Method?) async -> RPCResponse.Outcome {
        guard await isAllowed(request) else { return .error(RPCErrorText.permissionDenied) }
        guard let method else {
            if request.method == Self.ping { return .result(LazyValue(true)) }
            return .error(RPCErrorText.methodNotFound(request.method))
        }
        do {
            return .result(try await method.run(request, coder))
        } catch {
            return .error(RPCErrorText.describing(error))
        }
    }

    private func isAllowed(_ request: RPCRequest) async -> Bool {
        guard let authCallback else { return true }
        do {
            return try await authCallback(request.callerID, request.method, request)
        } catch {
            logger.debug(
                "the permission check threw", metadata: ["method": "\(request.method)", "error": "\(error)"])
            return false
        }
    }

    // MARK: Answers

    /// The answer as it will travel; an error where the result can't be sent as it is.
    private func answer(
        _ outcome: RPCResponse.Outcome, _ request: RPCRequest, _ form: MessageForm
    ) -> ReplayCache.Answer? {
        do throws(MQTTXError) {
            let answer = try encode(outcome, request, form)
            guard answer.payload.readableBytes <= largestPayload else {
                throw MQTTXError(
                    .payloadTooLarge,
                    "the response has \(answer.payload.readableBytes) bytes; at most \(largestPayload) are allowed")
            }
            return answer
        } catch {
            if case .result = outcome, let answer = try? encode(.error(error.description), request, form) {
                return answer
            }
            logger.error("a response can't be encoded", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func encode(
        _ outcome: RPCResponse.Outcome, _ request: RPCRequest, _ form: MessageForm
    ) throws(MQTTXError) -> ReplayCache.Answer {
        let (payload, properties) = try coder.encode(
            RPCResponse(requestID: request.requestID, outcome: outcome), as: form)
        return ReplayCache.Answer(payload: payload, properties: properties)
    }

    /// Sends an answer from the receive path, where nothing may wait.
    private func offer(_ answer: ReplayCache.Answer, to topic: String) {
        do throws(MQTTXError) {
            _ = try client?.offer(topic, answer.payload, qos: .atLeastOnce, properties: answer.properties)
        } catch {
            unsent(error, topic)
        }
    }

    private func send(_ answer: ReplayCache.Answer, _ request: RPCRequest, _ form: MessageForm) async {
        guard let client else { return }
        let (topic, payload, properties) = (request.replyTo, answer.payload, answer.properties)
        do throws(MQTTXError) {
            _ = try client.offer(topic, payload, qos: .atLeastOnce, properties: properties)
        } catch {
            if error.code == .queueFull {
                do {
                    try await client.enqueue(topic, payload, qos: .atLeastOnce, properties: properties)
                } catch {
                    unsent(error, topic)
                }
            } else if error.category == .message, let other = try? encode(.error(error.description), request, form) {
                // Larger than the broker takes: that much can be told.
                offer(other, to: topic)
            } else {
                unsent(error, topic)
            }
        }
    }

    private func unsent(_ error: any Error, _ topic: String) {
        logger.warning(
            "a response could not be sent", metadata: ["topic": "\(topic)", "error": "\(error)"])
        client?.reportIgnored(topic: topic, reason: "a response could not be sent: \(error)")
    }
}
