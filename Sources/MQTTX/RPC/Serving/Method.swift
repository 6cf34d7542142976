internal import MQTTXProtocol

/// A method as it is registered: from a request to its result.
struct Method: Sendable {
    let run: @Sendable (RPCRequest, MessageCoder) async throws -> LazyValue

    /// Calls a handler, or what wraps one.
    ///
    /// A function, for the compiler knows of one that it comes back to where it was called from, and of a closure it does
    /// not: there would be a look at where to go on after each. Not inlined, for then it would be the closure again.
    @inline(never)
    static func call(
        _ run: @Sendable (RPCRequest, MessageCoder) async throws -> LazyValue, _ request: RPCRequest,
        _ coder: MessageCoder
    ) async throws -> LazyValue { try await run(request, coder) }

    /// The same for a handler of dynamic values.
    @inline(never)
    static func call(
        _ handler: @Sendable (JSONValue) async throws -> JSONValue, _ params: JSONValue
    ) async throws -> JSONValue { try await handler(params) }
}
