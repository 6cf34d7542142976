internal import MQTTCore
public import MQTTXProtocol

extension RPCEndpoint {
    /// Serves a method whose params and result are dynamic. A method of the same name is replaced.
    public func register(
        _ method: String, _ handler: @escaping @Sendable (JSONValue) async throws -> JSONValue
    ) {
        add(method) { request, _ in LazyValue(try await Method.call(handler, try request.params.json())) }
    }

    /// Serves a method whose params and result are types of the program. Params that don't fit are answered with
    /// ``ErrorCode/invalidRPCRequest``.
    @_disfavoredOverload
    public func register<Params: Decodable & SendableMetatype, Result: Encodable & SendableMetatype>(
        _ method: String, _ handler: @escaping @Sendable (Params) async throws -> Result
    ) {
        add(method) { request, coder in
            try coder.value(encoding: try await handler(try request.params(as: Params.self)))
        }
    }

    /// Serves a method that returns nothing; the caller gets `null`.
    @_disfavoredOverload
    public func register<Params: Decodable & SendableMetatype>(
        _ method: String, _ handler: @escaping @Sendable (Params) async throws -> Void
    ) {
        add(method) { request, _ in
            try await handler(try request.params(as: Params.self))
            return nil
        }
    }

    // MARK: Without params

    /// Serves a method that takes no params; those that come are passed over.
    public func register(_ method: String, _ handler: @escaping @Sendable () async throws -> JSONValue) {
        add(method) { _, _ in LazyValue(try await handler()) }
    }

    /// Serves a method that takes no params; those that come are passed over.
    @_disfavoredOverload
    public func register<Result: Encodable & SendableMetatype>(
        _ method: String, _ handler: @escaping @Sendable () async throws -> Result
    ) {
        add(method) { _, coder in try coder.value(encoding: try await handler()) }
    }

    /// Serves a method that takes no params and returns nothing; the caller gets `null`.
    @_disfavoredOverload
    public func register(_ method: String, _ handler: @escaping @Sendable () async throws -> Void) {
        add(method) { _, _ in
            try await handler()
            return nil
        }
    }

    // MARK: With the request

    /// Serves a method that also wants to know who calls, and all else that the request tells.
    public func register(
        _ method: String, _ handler: @escaping @Sendable (JSONValue, RPCRequest) async throws -> JSONValue
    ) {
        add(method) { request, _ in LazyValue(try await handler(try request.params.json(), request)) }
    }

    /// Serves a method that also wants to know who calls, and all else that the request tells.
    @_disfavoredOverload
    public func register<Params: Decodable & SendableMetatype, Result: Encodable & SendableMetatype>(
        _ method: String, _ handler: @escaping @Sendable (Params, RPCRequest) async throws -> Result
    ) {
        add(method) { request, coder in
            try coder.value(encoding: try await handler(try request.params(as: Params.self), request))
        }
    }

    /// Serves a method that also wants to know who calls, and returns nothing; the caller gets `null`.
    @_disfavoredOverload
    public func register<Params: Decodable & SendableMetatype>(
        _ method: String, _ handler: @escaping @Sendable (Params, RPCRequest) async throws -> Void
    ) {
        add(method) { request, _ in
            try await handler(try request.params(as: Params.self), request)
            return nil
        }
    }

    /// Serves a method no longer. Calls of it that are running go on.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func unregister(_ method: String) -> Bool { rpcManager.core.responder.unregister(method) }

    private func add(
        _ name: String, _ run: @escaping @Sendable (RPCRequest, MessageCoder) async throws -> LazyValue
    ) {
        rpcManager.core.responder.register(name, Method(run: run))
    }
}

extension RPCRequest {
    fileprivate func params<Params: Decodable>(as type: Params.Type) throws(MQTTXError) -> Params {
        do throws(MQTTXError) {
            return try params.decode(as: type)
        } catch {
            throw MQTTXError(.invalidRPCRequest, "the params don't fit: \(error.message)", cause: error)
        }
    }
}
