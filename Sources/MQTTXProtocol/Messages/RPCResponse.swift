/// The answer to a request: a result or the text of an error.
public struct RPCResponse: Sendable {
    /// The request that is answered.
    public var requestID: String
    /// What came of it.
    public var outcome: Outcome
    /// The members of the envelope's reserved key `x`, or the user properties `x-…` without that prefix.
    public var extensions: JSONObject
    /// Members of the envelope that this version does not know, carried through as they are.
    public var unknownMembers: JSONObject

    /// What came of a request.
    public enum Outcome: Sendable {
        /// The method's result, possibly `null`.
        case result(LazyValue)
        /// What went wrong; see ``RPCErrorText``. Sent as `unknown error` when empty, since peers would take an empty
        /// text for success.
        case error(String)
    }

    /// - Parameters:
    ///   - requestID: of the request that is answered.
    ///   - outcome: what came of it.
    ///   - extensions: members of the reserved key `x`.
    ///   - unknownMembers: members of the envelope beside the known ones.
    public init(
        requestID: String, outcome: Outcome, extensions: JSONObject = [:], unknownMembers: JSONObject = [:]
    ) {
        self.requestID = requestID
        self.outcome = outcome
        self.extensions = extensions
        self.unknownMembers = unknownMembers
    }

    /// A success.
    public init(requestID: String, result: JSONValue) {
        self.init(requestID: requestID, outcome: .result(LazyValue(result)))
    }

    /// A failure.
    public init(requestID: String, error: String) { self.init(requestID: requestID, outcome: .error(error)) }

    /// The result, or nil after a failure.
    public var result: LazyValue? {
        if case .result(let value) = outcome { value } else { nil }
    }

    /// The error's text, or nil after a success.
    public var error: String? {
        if case .error(let text) = outcome { text } else { nil }
    }
}
