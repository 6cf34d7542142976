internal import MQTTXProtocol

/// A method as it is registered: from a request to its result.
struct Method: Sendable {
    let run: @Sendable (RPCRequest, MessageCoder) async throws -> LazyValue
}
