import MQTTCore
import MQTTXProtocol
import NIOCore
import Testing

private let id = "123e4567-e89b-42d3-a456-426614174000"
private let sample = RPCRequest(
    requestID: id, method: "get_status", params: ["id": "dév", "n": [1, 2.5, nil, true]], replyTo: "client/response",
    callerID: "client_123")

/// A payload in each codec's bytes.
private func coders() -> [MessageCoder] {
    [MessageCoder(), MessageCoder(.messagePack), MessageCoder(XORCodec(key: 0x55))]
}

@Suite(.timeLimit(.minutes(2))) struct RPCFormTests {
    @Test(
        "wire §1: what mqttxx 3.1.2 sends is read",
        arguments: [
            (
                MessageCoder(),
                ByteBuffer(
                    string: #"{"type": "rpc_request", "request_id": "123e4567-e89b-42d3-a456-426614174000", "method": "#
                        + #""get_status", "params": {"id": "d\u00e9v", "n": [1, 2.5, null, true]}, "reply_to": "#
                        + #""client/response", "caller_id": "client_123"}"#)
            ),
            (
                MessageCoder(.messagePack),
                ByteBuffer(
                    hex:
                        "86a474797065ab7270635f72657175657374aa726571756573745f6964d92431323365343536372d653839622d343264332d"
                        + "613435362d343236363134313734303030a66d6574686f64aa6765745f737461747573a6706172616d7382a26964a464c3a976"
                        + "a16e9401cb4004000000000000c0c3a87265706c795f746faf636c69656e742f726573706f6e7365a963616c6c65725f6964aa"
                        + "636c69656e745f313233")
            ),
        ])
    func pythonEnvelope(_ coder: MessageCoder, _ payload: ByteBuffer) throws {
        let incoming = try coder.decodeRPC(payload, Properties())
        #expect(incoming.form == .envelope)
        try expectSample(incoming)
    }

    @Test("wire §2: what mqttxx 4.0.3 sends is read")
    func pythonNative() throws {
        let payload = ByteBuffer(
            string: #"{"method": "get_status", "params": {"id": "d\u00e9v", "n": [1, 2.5, null, true]}}"#)
        let properties = Properties.with {
            $0.responseTopic = "client/response"
            $0.correlationData = ByteBuffer(string: id)
            $0.userProperties = [UserProperty("caller_id", "client_123")]
        }
        let incoming = try MessageCoder().decodeRPC(payload, properties)
        #expect(incoming.form == .native)
        try expectSample(incoming)
    }

    @Test("The MessagePack envelope has the very bytes of Python's")
    func messagePackBytes() throws {
        let response = RPCResponse(requestID: "1", result: ["ok": true])
        let payload = try MessageCoder(.messagePack).encode(response, as: .envelope).payload
        #expect(
            payload
                == ByteBuffer(
                    hex: "83a474797065ac7270635f726573706f6e7365aa726571756573745f6964a131a6726573756c7481a26f6bc3"))
    }

    @Test("JSON is written compactly, all six keys in the order of wire §1")
    func jsonBytes() throws {
        let (payload, properties) = try MessageCoder().encode(
            RPCRequest(requestID: "1", method: "m"), as: .envelope)
        #expect(
            payload.text
                == #"{"type":"rpc_request","request_id":"1","method":"m","params":null,"reply_to":"","caller_id":""}"#)
        #expect(properties.isEmpty)
        let response = try MessageCoder().encode(RPCResponse(requestID: "1", error: "方"), as: .envelope)
        #expect(response.payload.text == #"{"type":"rpc_response","request_id":"1","error":"方"}"#)
    }

    @Test("wire §2: the native form has its own payload, and always a caller_id")
    func nativeBytes() throws {
        let (payload, properties) = try MessageCoder().encode(
            RPCRequest(requestID: "1", method: "m", params: [1], replyTo: "r"), as: .native)
        #expect(payload.text == #"{"method":"m","params":[1]}"#)
        #expect(properties.responseTopic == "r")
        #expect(properties.correlationData == ByteBuffer(string: "1"))
        #expect(properties.userProperties == [UserProperty("caller_id", "")])
        let response = try MessageCoder().encode(RPCResponse(requestID: "1", result: nil), as: .native)
        #expect(response.payload.text == #"{"result":null}"#)
        #expect(response.properties.correlationData == ByteBuffer(string: "1"))
    }

    @Test("Requests survive every form and codec, with extensions and unknown members", arguments: MessageForm.allCases)
    func requestRoundTrip(_ form: MessageForm) throws {
        for coder in coders() {
            var request = sample
            request.extensions = ["accept": ["a", 5], "text": "5", "number": 5]
            request.unknownMembers = ["later": ["a": [1, nil]], "more": .bigInt("18446744073709551615")]
            let (payload, properties) = try coder.encode(request, as: form)
            let incoming = try coder.decodeRPC(payload, properties)
            #expect(incoming.form == form)
            try expectSample(incoming)
            let received = try #require(asRequest(incoming.message))
            #expect(received.extensions == request.extensions)
            #expect(received.unknownMembers == request.unknownMembers)
            // What was received can be sent on without being decoded.
            let again = try coder.decodeRPC(try coder.encode(received, as: form).payload, properties)
            try expectSample(again)
        }
    }

    @Test("Responses survive every form and codec", arguments: MessageForm.allCases)
    func responseRoundTrip(_ form: MessageForm) throws {
        for coder in coders() {
            for result: JSONValue in [nil, false, 0, "", [:], ["a": [1.5]]] {
                let (payload, properties) = try coder.encode(RPCResponse(requestID: id, result: result), as: form)
                let incoming = try coder.decodeRPC(payload, properties)
                let received = try #require(asResponse(incoming.message))
                #expect(incoming.form == form && received.requestID == id && received.error == nil)
                #expect(try received.result?.json() == result)
            }
            let (payload, properties) = try coder.encode(RPCResponse(requestID: id, error: "bad"), as: form)
            #expect(try asResponse(coder.decodeRPC(payload, properties).message)?.error == "bad")
        }
    }

    @Test("wire §3: where the halves of a dual message disagree, the properties win")
    func propertiesWin() throws {
        let payload = try MessageCoder().encode(sample, as: .envelope).payload
        let properties = Properties.with {
            $0.responseTopic = "other/topic"
            $0.correlationData = ByteBuffer(string: "other id")
            $0.userProperties = [UserProperty("caller_id", "other caller"), UserProperty("x-a", "not JSON")]
        }
        let incoming = try MessageCoder().decodeRPC(payload, properties)
        let received = try #require(asRequest(incoming.message))
        #expect(incoming.form == .dual && received.requestID == "other id" && received.replyTo == "other/topic")
        #expect(received.callerID == "other caller" && received.extensions == ["a": "not JSON"])
    }

    @Test(
        "wire §1: what is no RPC message is a typed error",
        arguments: [
            ("not json", .invalidJSON), ("", .invalidJSON), ("[1]", .invalidMessageType),
            ("\"text\"", .invalidMessageType),
            ("[1", .invalidJSON), ("{}", .invalidMessageType), (#"{"type":"event"}"#, .invalidMessageType),
            (#"{"type":5}"#, .invalidMessageType), (#"{"type":null}"#, .invalidMessageType),
            (#"{"type":"rpc_request","method":"m"}"#, .missingRequiredField),
            (#"{"type":"rpc_request","request_id":7,"method":"m"}"#, .missingRequiredField),
            (#"{"type":"rpc_request","request_id":"1"}"#, .missingRequiredField),
            (#"{"type":"rpc_request","request_id":"1","method":null}"#, .missingRequiredField),
            (#"{"type":"rpc_response","result":1}"#, .missingRequiredField),
            (#"{"type":"rpc_request","request_id":"1","method":"m",}"#, .invalidJSON),
            (#"{"type":"rpc_request","request_id":"1","method":"m"}{}"#, .invalidJSON),
            (#"{"type":"rpc_request" "request_id":"1","method":"m"}"#, .invalidJSON),
            (#"{,"type":"rpc_request"}"#, .invalidJSON),
            (#"{"type":"rpc_request","request_id":"1","method":"m","params":}"#, .invalidJSON),
        ] as [(String, ErrorCode)])
    func refused(_ text: String, _ expected: ErrorCode) {
        #expect(code { _ = try MessageCoder().decodeRPC(ByteBuffer(string: text), Properties()) } == expected)
    }

    @Test("Correlation data that is not UTF-8 is INVALID_UTF8; empty, it is as none")
    func correlation() throws {
        var properties = Properties()
        properties.correlationData = ByteBuffer(bytes: [0xFF])
        let payload = ByteBuffer(string: #"{"type":"rpc_response","request_id":"1","result":1}"#)
        #expect(code { _ = try MessageCoder().decodeRPC(payload, properties) } == .invalidUTF8)
        properties.correlationData = ByteBuffer()
        #expect(try MessageCoder().decodeRPC(payload, properties).form == .envelope)
    }

    @Test("Members may be missing, null or repeated where Python takes it so")
    func lenient() throws {
        let text = #"{"m\u0065thod":"a","type":"rpc_request","request_id":"1","method":"m","reply_to":null,"error":1}"#
        let incoming = try MessageCoder().decodeRPC(ByteBuffer(string: text), Properties())
        let received = try #require(asRequest(incoming.message))
        #expect(received.method == "m" && received.replyTo.isEmpty && received.callerID.isEmpty)
        #expect(received.params.isNull && received.unknownMembers == ["error": 1])
    }

    @Test(
        "wire §1: a present, non-null error is a failure",
        arguments: [
            (#""error":"bad""#, "bad"), (#""error":"","result":1"#, "unknown error"),
            (#""error":{"a":1}"#, #"{"a":1}"#),
            (#""error":null,"result":1"#, nil), (#""result":null"#, nil), (#""result":1,"error":"late""#, "late"),
        ] as [(String, String?)])
    func failure(_ members: String, _ error: String?) throws {
        let payload = ByteBuffer(string: #"{"type":"rpc_response","request_id":"1",\#(members)}"#)
        #expect(try asResponse(MessageCoder().decodeRPC(payload, Properties()).message)?.error == error)
    }

    @Test("An empty error text is never sent")
    func emptyError() throws {
        let payload = try MessageCoder().encode(RPCResponse(requestID: "1", error: ""), as: .native).payload
        #expect(payload.text == #"{"error":"unknown error"}"#)
    }

    @Test("A slice that does not start at zero is read")
    func slice() throws {
        for coder in coders() {
            var padded = ByteBuffer(string: "padding")
            var payload = try coder.encode(sample, as: .envelope).payload
            padded.writeBuffer(&payload)
            padded.moveReaderIndex(forwardBy: 7)
            try expectSample(try coder.decodeRPC(padded, Properties()))
        }
    }

    private func expectSample(_ incoming: IncomingRPC) throws {
        let received = try #require(asRequest(incoming.message))
        #expect(received.requestID == id && received.method == "get_status")
        #expect(received.replyTo == "client/response" && received.callerID == "client_123")
        #expect(try received.params.json() == ["id": "dév", "n": [1, 2.5, nil, true]])
    }
}
