internal import Logging
internal import MQTTCore
internal import MQTTXClient
internal import MQTTXProtocol
internal import NIOCore
internal import Synchronization

/// Serves requests: so many at once, and each answered once.
final class Responder: Sendable {
    private struct State {
        var methods: [String: Method] = [:]
        /// How many requests are served, or about to be.
        var running = 0
        var replay: ReplayCache
        var isClosed = false
        /// Those who wait for the last handler after ``Responder/close()``.
        var closing: [CheckedContinuation<Void, Never>] = []
    }

    /// A response as it travels.
    private struct Answer {
        let payload: ByteBuffer
        let properties: Properties
    }

    private enum Decision {
        case taken
        case ignore(String)
        case answerAgain(ByteBuffer, MessageForm)
        case refuse
    }

    private static let ping = "__ping__"

    private let client: ClientLink
    private let coder: MessageCoder
    private let limit: Int
    let crew: Crew
    // Of the client's configuration, which is a large value to copy for every answer.
    private let largestPayload: Int
    private let logger: Logger
    private let authCallback: RPCAuthCallback?
    private let state: Mutex<State>

    init(
        client: ClientLink, clientConfig: MQTTConfig, coder: MessageCoder, config: RPCConfig,
        authCallback: RPCAuthCallback?
    ) {
        self.client = client
        self.coder = coder
        limit = max(0, config.maxConcurrentRequests)
        crew = Crew(executor: config.taskExecutor)
        largestPayload = clientConfig.maxPayloadSize
        logger = clientConfig.logger
        self.authCallback = authCallback
        state = Mutex(State(replay: ReplayCache(config)))
    }

    func register(_ name: String, _ method: Method) { state.withLock { $0.methods[name] = method } }

    func unregister(_ name: String) -> Bool { state.withLock { $0.methods.removeValue(forKey: name) != nil } }

    // Whatever is to be done holds us: the crew has nothing to do any more.
    deinit { _ = crew.dismiss() }

    /// Cancels the handlers and waits until they have returned. Nothing is answered afterwards.
    func close() async {
        state.withLock { $0.isClosed = true }
        for service in crew.dismiss() { end(service) }
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.running > 0 { state.closing.append(continuation) }
                return state.running == 0
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Takes a request or refuses it; returns at once.
    func accept(_ request: consuming RPCRequest, form: MessageForm, topic: String) {
        let service = Service(request, form, responder: self)
        let replyTo = service.request.replyTo
        do throws(MQTTXError) {
            try TopicName.validate(replyTo)
        } catch {
            client.reportIgnored(topic: topic, reason: "a request that can't be answered: \(error.message)")
            return
        }
        switch decide(service) {
        case .taken:
            if !crew.take(service) { end(service) }
        case .ignore(let reason):
            client.reportIgnored(topic: topic, reason: reason)
        case .answerAgain(let payload, let form):
            guard let properties = try? coder.properties(ofResponseTo: service.request.requestID, as: form) else {
                return
            }
            offer(Answer(payload: payload, properties: properties), to: replyTo)
        case .refuse:
            let error = MQTTXError(.tooManyPendingCalls, "\(limit) requests are being served already")
            guard let answer = try? encode(.error(error.description), service) else { return }
            offer(answer, to: replyTo)
        }
    }

    private func decide(_ service: Service) -> Decision {
        state.withLock { state in
            guard !state.isClosed else { return .ignore("the endpoint is closed") }
            switch state.replay.find(service.replay.key, now: .now()) {
            case .running: return .ignore("a request that is being served already")
            case .forgotten: return .ignore("a request that was answered already")
            case .answered(let payload, let form): return .answerAgain(payload, form)
            case .new: break
            }
            guard state.running < limit else { return .refuse }
            state.replay.begin(service.replay)
            state.running += 1
            service.method = state.methods[service.request.method]
            return .taken
        }
    }

    /// Runs the handler and sends what comes of it.
    func serve(_ service: Service) async {
        let answer = answer(await outcome(of: service.request, service.method), service)
        let isClosed = state.withLock { state in
            state.replay.end(service.replay, answer?.payload, now: .now())
            return state.isClosed
        }
        if let answer, !isClosed, !send(answer, service) { await sendWhenThereIsRoom(answer, service) }
        end()
    }

    /// A request that nobody has begun to serve will not be.
    private func end(_ service: Service) {
        state.withLock { $0.replay.end(service.replay, nil, now: .now()) }
        end()
    }

    private func end() {
        let closing = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.running -= 1
            guard state.running == 0, !state.closing.isEmpty else { return [] }
            defer { state.closing = [] }
            return state.closing
        }
        for continuation in closing { continuation.resume() }
    }

    private func outcome(of request: RPCRequest, _ method: Method?) async -> RPCResponse.Outcome {
        if let authCallback, await !isAllowed(request, authCallback) { return .error(RPCErrorText.permissionDenied) }
        guard let method else {
            if request.method == Self.ping { return .result(LazyValue(true)) }
            return .error(RPCErrorText.methodNotFound(request.method))
        }
        do {
            return .result(try await Method.call(method.run, request, coder))
        } catch {
            return .error(RPCErrorText.describing(error))
        }
    }

    private func isAllowed(_ request: RPCRequest, _ authCallback: RPCAuthCallback) async -> Bool {
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
        _ outcome: RPCResponse.Outcome, _ service: Service
    ) -> Answer? {
        do throws(MQTTXError) {
            let answer = try encode(outcome, service)
            guard answer.payload.readableBytes <= largestPayload else {
                throw MQTTXError(
                    .payloadTooLarge,
                    "the response has \(answer.payload.readableBytes) bytes; at most \(largestPayload) are allowed")
            }
            return answer
        } catch {
            if case .result = outcome, let answer = try? encode(.error(error.description), service) {
                return answer
            }
            logger.error("a response can't be encoded", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func encode(
        _ outcome: RPCResponse.Outcome, _ service: Service
    ) throws(MQTTXError) -> Answer {
        let (payload, properties) = try coder.encode(
            RPCResponse(requestID: service.request.requestID, outcome: outcome), as: service.replay.form)
        return Answer(payload: payload, properties: properties)
    }

    /// Sends an answer from the receive path, where nothing may wait.
    private func offer(_ answer: Answer, to topic: String) {
        do throws(MQTTXError) {
            let receipt = try client.offer(topic, answer.payload, qos: .atLeastOnce, properties: answer.properties)
            if receipt == nil { throw MQTTXError(.queueFull, "the queue of messages to be sent is full") }
        } catch {
            unsent(error, topic)
        }
    }

    /// - Returns: false if the queue is full.
    private func send(_ answer: Answer, _ service: Service) -> Bool {
        let topic = service.request.replyTo
        do throws(MQTTXError) {
            return try client.offer(topic, answer.payload, qos: .atLeastOnce, properties: answer.properties) != nil
        } catch {
            if error.category == .message, let other = try? encode(.error(error.description), service) {
                // Larger than the broker takes: that much can be told.
                offer(other, to: topic)
            } else {
                unsent(error, topic)
            }
            return true
        }
    }

    private func sendWhenThereIsRoom(_ answer: Answer, _ service: Service) async {
        let topic = service.request.replyTo
        do {
            _ = try await client.enqueue(topic, answer.payload, qos: .atLeastOnce, properties: answer.properties)
        } catch {
            unsent(error, topic)
        }
    }

    private func unsent(_ error: any Error, _ topic: String) {
        logger.warning(
            "a response could not be sent", metadata: ["topic": "\(topic)", "error": "\(error)"])
        client.reportIgnored(topic: topic, reason: "a response could not be sent: \(error)")
    }
}
