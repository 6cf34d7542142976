/// What arrives at an RPC endpoint.
public enum RPCMessage: Sendable {
    case request(RPCRequest)
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
    public let message: RPCMessage
    public let form: MessageForm
}
