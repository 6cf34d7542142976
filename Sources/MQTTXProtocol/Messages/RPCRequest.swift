/// A call: which method, with which params, and where the response goes.
public struct RPCRequest: Sendable {
    /// Tells calls apart; a UUID unless the caller chose otherwise.
    public var requestID: String
    /// The method's name.
    public var method: String
    /// What the method gets; `null` when there are none.
    public var params: LazyValue
    /// The topic that takes the response; empty when the request can't be answered.
    public var replyTo: String
    /// The caller's client id, possibly empty. Nothing proves it.
    public var callerID: String
    /// The members of the envelope's reserved key `x`, or the user properties `x-…` without that prefix.
    public var extensions: JSONObject
    /// Members of the envelope that this version does not know, carried through as they are.
    public var unknownMembers: JSONObject

    /// - Parameters:
    ///   - requestID: tells calls apart; a new UUID by default.
    ///   - method: the method's name.
    ///   - params: what the method gets.
    ///   - replyTo: the topic that takes the response.
    ///   - callerID: who calls.
    ///   - extensions: members of the reserved key `x`.
    ///   - unknownMembers: members of the envelope beside the known ones.
    public init(
        requestID: String = RequestID.make(), method: String, params: LazyValue = nil, replyTo: String = "",
        callerID: String = "", extensions: JSONObject = [:], unknownMembers: JSONObject = [:]
    ) {
        self.requestID = requestID
        self.method = method
        self.params = params
        self.replyTo = replyTo
        self.callerID = callerID
        self.extensions = extensions
        self.unknownMembers = unknownMembers
    }

    /// The same with params that are there as a value.
    public init(
        requestID: String = RequestID.make(), method: String, params: JSONValue, replyTo: String = "",
        callerID: String = ""
    ) {
        self.init(
            requestID: requestID, method: method, params: LazyValue(params), replyTo: replyTo, callerID: callerID)
    }
}
