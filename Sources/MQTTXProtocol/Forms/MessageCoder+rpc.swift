public import MQTTCore
public import NIOCore

extension MessageCoder {
    /// A request as payload and properties.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func encode(
        _ request: RPCRequest, as form: MessageForm
    ) throws(MQTTXError) -> (payload: ByteBuffer, properties: Properties) {
        let (payload, correlation) = try payload(beside: form.hasProperties ? request.requestID : nil) {
            (writer) throws(MQTTXError) in
            try Self.write(request, form, to: &writer)
        } json: { (writer) throws(MQTTXError) in
            try Self.write(request, form, to: &writer)
        } messagePack: { (writer) throws(MQTTXError) in
            try Self.write(request, form, to: &writer)
        }
        guard let correlation else { return (payload, Properties()) }
        return (payload, try PropertyForm.properties(of: request, form, correlation))
    }

    /// A response as payload and properties.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public func encode(
        _ response: RPCResponse, as form: MessageForm
    ) throws(MQTTXError) -> (payload: ByteBuffer, properties: Properties) {
        let (payload, correlation) = try payload(beside: form.hasProperties ? response.requestID : nil) {
            (writer) throws(MQTTXError) in
            try Self.write(response, form, to: &writer)
        } json: { (writer) throws(MQTTXError) in
            try Self.write(response, form, to: &writer)
        } messagePack: { (writer) throws(MQTTXError) in
            try Self.write(response, form, to: &writer)
        }
        guard let correlation else { return (payload, Properties()) }
        return (payload, try PropertyForm.properties(of: response, form, correlation))
    }

    /// The properties of a response without extensions, whose payload is there already.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    package func properties(
        ofResponseTo requestID: String, as form: MessageForm
    ) throws(MQTTXError) -> Properties {
        guard form.hasProperties else { return Properties() }
        return try PropertyForm.properties(
            of: RPCResponse(requestID: requestID, outcome: .result(nil)), form, ByteBuffer(string: requestID))
    }

    /// The request or response that a packet holds, in whatever form. Where its halves disagree, the properties win.
    ///
    /// With the built-in codecs params and result are checked for form but not decoded.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/invalidJSON``, ``ErrorCode/invalidUTF8`` or
    ///   ``ErrorCode/decodingFailed`` when the payload is not of the codec, ``ErrorCode/invalidMessageType`` when it
    ///   is no RPC message, ``ErrorCode/missingRequiredField`` without a request id or a method.
    public func decodeRPC(_ payload: ByteBuffer, _ properties: Properties) throws(MQTTXError) -> IncomingRPC {
        switch format {
        case .json:
            return try payload.withUnsafeReadableBytes { (bytes) throws(MQTTXError) in
                var reader = try JSONMembers(bytes, of: payload)
                return try RPCMembers.message(&reader, beside: properties)
            }
        case .messagePack:
            return try payload.withUnsafeReadableBytes { (bytes) throws(MQTTXError) in
                var reader = try MessagePackMembers(bytes, of: payload)
                return try RPCMembers.message(&reader, beside: properties)
            }
        case .custom:
            var reader = try TreeReader(try decode(payload))
            return try RPCMembers.message(&reader, beside: properties)
        }
    }

    /// - Parameter text: goes into the same memory, behind the payload: one allocation instead of two.
    private func payload(
        beside text: String?,
        _ tree: (inout TreeWriter) throws(MQTTXError) -> Void,
        json: (inout JSONWriter) throws(MQTTXError) -> Void,
        messagePack: (inout MessagePackWriter) throws(MQTTXError) -> Void
    ) throws(MQTTXError) -> (bytes: ByteBuffer, text: ByteBuffer?) {
        switch format {
        case .json:
            var writer = JSONWriter(capacity: 256)
            try json(&writer)
            return writer.buffer(beside: text)
        case .messagePack:
            var writer = MessagePackWriter(capacity: 256)
            try messagePack(&writer)
            return writer.buffer(beside: text)
        case .custom:
            var writer = TreeWriter()
            try tree(&writer)
            return (try encode(.object(writer.object)), text.map { ByteBuffer(string: $0) })
        }
    }

    private static func write(
        _ request: RPCRequest, _ form: MessageForm, to writer: inout some MemberWriter & ~Copyable
    ) throws(MQTTXError) {
        let inEnvelope = form.hasEnvelope
        let extended = inEnvelope && !request.extensions.isEmpty
        writer.open(members: (inEnvelope ? 6 : 2) + (extended ? 1 : 0) + request.unknownMembers.count)
        if inEnvelope {
            writer.member("type")
            try writer.text("rpc_request")
            writer.member("request_id")
            try writer.text(request.requestID)
        }
        writer.member("method")
        try writer.text(request.method)
        writer.member("params")
        try writer.lazy(request.params)
        if inEnvelope {
            writer.member("reply_to")
            try writer.text(request.replyTo)
            writer.member("caller_id")
            try writer.text(request.callerID)
        }
        try close(extended ? request.extensions : nil, request.unknownMembers, &writer)
    }

    private static func write(
        _ response: RPCResponse, _ form: MessageForm, to writer: inout some MemberWriter & ~Copyable
    ) throws(MQTTXError) {
        let inEnvelope = form.hasEnvelope
        let extended = inEnvelope && !response.extensions.isEmpty
        writer.open(members: (inEnvelope ? 3 : 1) + (extended ? 1 : 0) + response.unknownMembers.count)
        if inEnvelope {
            writer.member("type")
            try writer.text("rpc_response")
            writer.member("request_id")
            try writer.text(response.requestID)
        }
        switch response.outcome {
        case .result(let result):
            writer.member("result")
            try writer.lazy(result)
        case .error(let text):
            writer.member("error")
            try writer.text(RPCErrorText.nonEmpty(text))
        }
        try close(extended ? response.extensions : nil, response.unknownMembers, &writer)
    }

    private static func close(
        _ extensions: JSONObject?, _ unknown: JSONObject, _ writer: inout some MemberWriter & ~Copyable
    ) throws(MQTTXError) {
        if let extensions {
            writer.member("x")
            try writer.value(.object(extensions))
        }
        for member in unknown {
            try writer.name(member.key)
            try writer.value(member.value)
        }
        writer.close()
    }
}
