import MQTTCore
import NIOCore

/// The members of an RPC message's payload, not yet told apart as request or response.
///
/// Not copied: they become the message's.
struct RPCMembers: ~Copyable {
    private let correlated: String?
    private var hasType = false
    private var type: String?
    private var requestID: String?
    private var hasMethod = false
    private var method: String?
    private var params: LazyValue?
    private var replyTo: String?
    private var callerID: String?
    private var result: LazyValue?
    private var error: LazyValue?
    private var extensions = JSONObject()
    private var unknown = JSONObject()

    /// What the properties say need not be read from the payload a second time.
    static func message(
        _ reader: inout some MemberReader, beside properties: Properties
    ) throws(MQTTXError) -> IncomingRPC {
        var members = RPCMembers(correlated: try PropertyForm.requestID(in: properties), properties)
        try members.read(&reader)
        return try members.message(with: properties)
    }

    private init(correlated: String?, _ properties: Properties) {
        self.correlated = correlated
        replyTo = properties.responseTopic
        callerID = properties.userProperty("caller_id")
    }

    private mutating func read(_ reader: inout some MemberReader) throws(MQTTXError) {
        let (hasReplyTo, hasCallerID) = (replyTo != nil, callerID != nil)
        while let name = try reader.next() {
            switch name {
            case .type:
                hasType = true
                type = try reader.text()
            case .requestID where correlated != nil: try reader.skip()
            case .replyTo where hasReplyTo: try reader.skip()
            case .callerID where hasCallerID: try reader.skip()
            case .requestID: requestID = try reader.text()
            case .method:
                hasMethod = true
                method = try reader.text()
            case .params: params = try reader.lazy()
            case .replyTo: replyTo = try reader.text()
            case .callerID: callerID = try reader.text()
            case .result: result = try reader.lazy()
            case .error: error = try reader.lazy()
            case .extensions:
                let value = try reader.json()
                if case .object(let object) = value { extensions = object } else { unknown["x"] = value }
            case .other(let key): unknown[key] = try reader.json()
            }
        }
    }

    private consuming func message(with properties: Properties) throws(MQTTXError) -> IncomingRPC {
        let isRequest: Bool
        if hasType {
            switch type {
            case "rpc_request": isRequest = true
            case "rpc_response": isRequest = false
            default:
                throw MQTTXError(.invalidMessageType, "neither a request nor a response: type \(type ?? "not text")")
            }
        } else {
            guard correlated != nil else {
                throw MQTTXError(.invalidMessageType, "neither a type nor correlation data")
            }
            // As mqttxx 4 tells them apart.
            isRequest = hasMethod
        }
        let form: MessageForm = !hasType ? .native : correlated == nil ? .envelope : .dual
        guard let requestID = correlated ?? requestID, !requestID.isEmpty else {
            throw MQTTXError(.missingRequiredField, "request_id is missing, empty or not text")
        }
        let message: RPCMessage =
            isRequest ? .request(try request(requestID, properties)) : .response(try response(requestID, properties))
        return IncomingRPC(message: message, form: form)
    }

    private consuming func request(_ requestID: String, _ properties: Properties) throws(MQTTXError) -> RPCRequest {
        guard let method else { throw MQTTXError(.missingRequiredField, "method is missing or not text") }
        // Not of a request, so not ours to interpret.
        try Self.keep("result", result, in: &unknown)
        try Self.keep("error", error, in: &unknown)
        return RPCRequest(
            requestID: requestID, method: method, params: params ?? nil,
            replyTo: replyTo ?? "", callerID: callerID ?? "",
            extensions: PropertyForm.extensions(in: properties, over: extensions), unknownMembers: unknown)
    }

    private consuming func response(_ requestID: String, _ properties: Properties) throws(MQTTXError) -> RPCResponse {
        try Self.keep("params", params, in: &unknown)
        if let method { unknown["method"] = .string(method) }
        if let replyTo, properties.responseTopic == nil { unknown["reply_to"] = .string(replyTo) }
        if let callerID, properties.userProperty("caller_id") == nil { unknown["caller_id"] = .string(callerID) }
        return RPCResponse(
            requestID: requestID, outcome: try Self.outcome(result, error),
            extensions: PropertyForm.extensions(in: properties, over: extensions), unknownMembers: unknown)
    }

    /// A present, non-null `error` is a failure, whatever its type and whether or not there is a result.
    private static func outcome(
        _ result: LazyValue?, _ error: LazyValue?
    ) throws(MQTTXError) -> RPCResponse.Outcome {
        guard let error, !error.isNull else { return .result(result ?? nil) }
        let value = try error.json()
        return .error(RPCErrorText.nonEmpty(value.stringValue ?? value.description))
    }

    private static func keep(_ name: String, _ value: LazyValue?, in unknown: inout JSONObject) throws(MQTTXError) {
        if let value { unknown[name] = try value.json() }
    }
}
