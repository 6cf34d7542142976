internal import MQTTCore
public import MQTTXProtocol

extension RPCEndpoint {
    /// Calls a method of a peer.
    ///
    /// - Parameters:
    ///   - topic: where the peer takes requests.
    ///   - method: the method's name.
    ///   - params: what the method gets; `null` by default.
    ///   - timeout: how long to wait for the response; ``RPCConfig/defaultTimeout`` by default. Zero times out at once.
    ///   - replyTo: where the response is to come in; a subscription must lead from there to
    ///     ``RPCManager/handleRPCMessage``. By default this endpoint's own topic, or `rpc/r/<client id>`.
    /// - Returns: the result.
    /// - Throws: `MQTTXError`: ``ErrorCode/notConnected``, ``ErrorCode/tooManyPendingCalls``, ``ErrorCode/rpcTimeout``,
    ///   ``ErrorCode/connectionLost`` when the response can't come any more, ``ErrorCode/methodNotFound``,
    ///   ``ErrorCode/permissionDenied``, ``ErrorCode/rpcExecutionError`` with the peer's text or whatever code it named,
    ///   ``ErrorCode/payloadTooLarge``, ``ErrorCode/encodingFailed``; `CancellationError` when the task is cancelled,
    ///   which does not stop the peer: at once, but in the first tenth of a second only when that is over, if no response
    ///   comes before.
    @discardableResult
    public func call(
        _ topic: String, _ method: String, params: JSONValue = nil, timeout: Duration? = nil, replyTo: String? = nil
    ) async throws -> JSONValue {
        try await send(topic, method, LazyValue(params), timeout, replyTo).json()
    }

    /// Calls a method of a peer, with a result of the type that is wanted.
    ///
    /// - Throws: as ``call(_:_:params:timeout:replyTo:)``, and ``ErrorCode/decodingFailed`` if the result does not fit.
    @_disfavoredOverload
    public func call<Result: Decodable>(
        _ topic: String, _ method: String, params: JSONValue = nil, timeout: Duration? = nil, replyTo: String? = nil
    ) async throws -> Result {
        try await send(topic, method, LazyValue(params), timeout, replyTo).decode(as: Result.self)
    }

    /// Calls a method of a peer, with params of any `Encodable` type.
    ///
    /// - Throws: as ``call(_:_:params:timeout:replyTo:)``.
    @_disfavoredOverload
    @discardableResult
    public func call(
        _ topic: String, _ method: String, params: some Encodable, timeout: Duration? = nil, replyTo: String? = nil
    ) async throws -> JSONValue {
        let params = try rpcManager.core.coder.value(encoding: params)
        return try await send(topic, method, params, timeout, replyTo).json()
    }

    /// Calls a method of a peer, with params of any `Encodable` type and a result of the type that is wanted.
    ///
    /// - Throws: as ``call(_:_:params:timeout:replyTo:)``, and ``ErrorCode/decodingFailed`` if the result does not fit.
    @_disfavoredOverload
    public func call<Result: Decodable>(
        _ topic: String, _ method: String, params: some Encodable, timeout: Duration? = nil, replyTo: String? = nil
    ) async throws -> Result {
        let params = try rpcManager.core.coder.value(encoding: params)
        return try await send(topic, method, params, timeout, replyTo).decode(as: Result.self)
    }

    private func send(
        _ topic: String, _ method: String, _ params: LazyValue, _ timeout: Duration?, _ replyTo: String?
    ) async throws -> LazyValue {
        try await rpcManager.send(topic, method, params, timeout: timeout, replyTo: replyTo)
    }
}
