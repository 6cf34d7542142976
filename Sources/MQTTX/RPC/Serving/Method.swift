internal import MQTTXProtocol

/// A method as it is registered: from a request to its result.
struct Method: Sendable {
    private let run: @Sendable (RPCRequest, MessageCoder) async throws -> LazyValue

    init(_ run: @escaping @Sendable (RPCRequest, MessageCoder) async throws -> LazyValue) { self.run = run }

    /// A function, for the compiler knows of one that it comes back to where it was called from, and of a closure it does
    /// not.
    @inline(never)
    func callAsFunction(_ request: RPCRequest, _ coder: MessageCoder) async throws -> LazyValue {
        try await run(request, coder)
    }
}
