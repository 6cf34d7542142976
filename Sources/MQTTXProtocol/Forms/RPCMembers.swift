import MQTTCore
import NIOCore

/// The members of an RPC message's payload, which become a request or a response.
enum RPCMembers {
    /// What the properties say need not be read from the payload a second time.
    ///
    /// All members are variables of this one function, so that they are moved into the message and not copied.
    static func message(
        _ reader: inout some MemberReader, beside properties: Properties
    ) throws(MQTTXError) -> IncomingRPC {
        let correlated = try PropertyForm.requestID(in: properties)
        let (repliesBeside, callerBeside) = (properties.responseTopic, properties.userProperty("caller_id"))
        var hasType = false
        var type: String?
        var requestID: String?
        var hasMethod = false
        var method: String?
        var params: LazyValue?
        var replyTo: String?
        var callerID: String?
        var result: LazyValue?
        var error: LazyValue?
        var extensions = JSONObject()
        var unknown = JSONObject()
        while let name = try reader.next() {
            switch name {
            case .type:
                hasType = true
                type = try reader.text()
            case .requestID where correlated != nil: try reader.skip()
            case .replyTo where repliesBeside != nil: try reader.skip()
            case .callerID where callerBeside != nil: try reader.skip()
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
        let isRequest = try isRequest(hasType, type, isCorrelated: correlated != nil, hasMethod)
        let form: MessageForm = !hasType ? .native : correlated == nil ? .envelope : .dual
        guard let requestID = correlated ?? requestID, !requestID.isEmpty else {
            throw MQTTXError(.missingRequiredField, "request_id is missing, empty or not text")
        }
        PropertyForm.addExtensions(in: properties, to: &extensions)
        if isRequest {
            guard let method else { throw MQTTXError(.missingRequiredField, "method is missing or not text") }
            // Not of a request, so not ours to interpret.
            if let result { unknown["result"] = try result.json() }
            if let error { unknown["error"] = try error.json() }
            let request = RPCRequest(
                requestID: requestID, method: method, params: params ?? nil,
                replyTo: repliesBeside ?? replyTo ?? "", callerID: callerBeside ?? callerID ?? "",
                extensions: extensions, unknownMembers: unknown)
            return IncomingRPC(message: .request(request), form: form)
        }
        if let params { unknown["params"] = try params.json() }
        if let method { unknown["method"] = .string(method) }
        if let replyTo { unknown["reply_to"] = .string(replyTo) }
        if let callerID { unknown["caller_id"] = .string(callerID) }
        let response = RPCResponse(
            requestID: requestID, outcome: try outcome(result, error), extensions: extensions, unknownMembers: unknown)
        return IncomingRPC(message: .response(response), form: form)
    }

    private static func isRequest(
        _ hasType: Bool, _ type: String?, isCorrelated: Bool, _ hasMethod: Bool
    ) throws(MQTTXError) -> Bool {
        guard hasType else {
            guard isCorrelated else {
                throw MQTTXError(.invalidMessageType, "neither a type nor correlation data")
            }
            // As mqttxx 4 tells them apart.
            return hasMethod
        }
        switch type {
        case "rpc_request": return true
        case "rpc_response": return false
        default:
            throw MQTTXError(.invalidMessageType, "neither a request nor a response: type \(type ?? "not text")")
        }
    }

    /// A present, non-null `error` is a failure, whatever its type and whether or not there is a result.
    private static func outcome(
        _ result: LazyValue?, _ error: LazyValue?
    ) throws(MQTTXError) -> RPCResponse.Outcome {
        guard let error, !error.isNull else { return .result(result ?? nil) }
        let value = try error.json()
        return .error(RPCErrorText.nonEmpty(value.stringValue ?? value.description))
    }
}
