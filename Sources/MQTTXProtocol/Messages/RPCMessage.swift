/// What arrives at an RPC endpoint.
public enum RPCMessage: Sendable {
    /// Somebody calls a method of ours.
    case request(RPCRequest)
    /// Somebody answers a call of ours.
    case response(RPCResponse)

    /// The request that this is, or that it answers.
    public var requestID: String {
        switch self {
        case .request(let request): request.requestID
        case .response(let response): response.requestID
        }
    }
}

/// A decoded RPC message and the form it came in, which is the form to answer in.
public struct IncomingRPC: Sendable {
    /// The message.
    public let message: RPCMessage
    /// The form it came in.
    public let form: MessageForm
}
