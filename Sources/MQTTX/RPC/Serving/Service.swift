internal import MQTTXProtocol

/// A request that is served: one object, where the values that it holds would be copied into each step of its task.
final class Service: @unchecked Sendable {
    // Unchecked: what is not constant is set before the request is handed to whoever serves it.

    let request: RPCRequest
    /// What is remembered of it, its form among that.
    let replay: ReplayCache.Entry
    let responder: Responder
    /// Nil if there is none of that name.
    @exclusivity(unchecked)
    var method: Method?

    init(_ request: consuming RPCRequest, _ form: MessageForm, responder: Responder) {
        replay = ReplayCache.Entry(
            ReplayCache.Key(requestID: request.requestID, replyTo: request.replyTo), form)
        self.request = request
        self.responder = responder
    }
}
