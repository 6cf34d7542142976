import MQTTX
import Testing

@Suite(.timeLimit(.minutes(1))) struct RPCFormsOnTheWireTests {
    @Test("A request is dual on MQTT 5.0: the envelope of mqttxx 3 and the properties of mqttxx 4")
    func dual() async throws {
        try await TestBroker.run { broker in
            let (topic, client) = (TestBroker.topic(), try await broker.connect("caller"))
            let probe = try await Probe(try await broker.connect(), topic)
            let rpc = RPCManager(client)
            async let result = rpc.call(topic, "m", params: ["a": 1])
            let message = try await probe.next()
            let payload = try JSONValue(jsonBytes: message.payload)
            let id = payload["request_id"].stringValue ?? ""
            let inbox = "rpc/r/\(client.clientID)"
            #expect(
                payload == [
                    "type": "rpc_request", "request_id": .string(id), "method": "m", "params": ["a": 1],
                    "reply_to": .string(inbox), "caller_id": .string(client.clientID),
                ])
            #expect(message.properties.responseTopic == inbox)
            #expect(message.properties.correlationData == ByteBuffer(string: id))
            #expect(message.properties.userProperty("caller_id") == client.clientID)
            try await probe.client.publish(
                inbox, #"{"result": 5}"#, properties: .with { $0.correlationData = ByteBuffer(string: id) })
            #expect(try await result == 5)
        }
    }

    @Test("On MQTT 3.1.1 the envelope alone is sent, and the native form is an error")
    func version311() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let service = try await broker.connect { $0.version = .v3_1_1 }
            _ = try await ConventionalRPCManager(service, myTopic: topic) { $0.register("one") { 1 } }
            let client = try await broker.connect { $0.version = .v3_1_1 }
            #expect(try await RPCManager(client).call(topic, "one") == 1)
            #expect(try await RPCManager(try await broker.connect()).call(topic, "one") == 1)
            let native = RPCManager(client, config: RPCConfig(form: .native))
            #expect(await error { try await native.call(topic, "one") }?.code == .encodingFailed)
            let events = EventChannelManager(client, form: .native)
            #expect(await error { try await events.publish(topic, ["a": 1]) }?.code == .encodingFailed)
        }
    }

    @Test("A responder answers in the form in which it was asked", arguments: MessageForm.allCases)
    func answers(form: MessageForm) async throws {
        try await TestBroker.run { broker in
            let (topic, reply) = (TestBroker.topic(), TestBroker.topic())
            _ = try await ConventionalRPCManager(try await broker.connect(), myTopic: topic) {
                $0.register("one") { 1 }
            }
            let probe = try await Probe(try await broker.connect(), reply)
            let (payload, properties) = try MessageCoder().encode(
                RPCRequest(requestID: "7", method: "one", replyTo: reply), as: form)
            try await probe.client.publish(topic, payload, qos: .atLeastOnce, properties: properties)
            let message = try await probe.next()
            let json = try JSONValue(jsonBytes: message.payload)
            #expect(
                json == (form == .native ? ["result": 1] : ["type": "rpc_response", "request_id": "7", "result": 1]))
            #expect(message.properties.correlationData == (form == .envelope ? nil : ByteBuffer(string: "7")))
            // Asked again, it sends the same again.
            try await probe.client.publish(topic, payload, qos: .atLeastOnce, properties: properties)
            let again = try await probe.next()
            #expect(again.payload == message.payload && again.properties == message.properties)
            let rpc = RPCManager(try await broker.connect(), config: RPCConfig(form: form))
            #expect(try await rpc.call(topic, "one") == 1)
        }
    }

    @Test("MessagePack carries calls as JSON does")
    func messagePack() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let rpc = try await ConventionalRPCManager(
                try await broker.connect(), myTopic: topic, codec: .messagePack
            ) { $0.register("echo") { (params: JSONValue) in params } }
            let params: JSONValue = ["bytes": .binary([0, 255]), "text": "你好", "n": nil]
            #expect(try await rpc.call(topic, "echo", params: params) == params)
        }
    }
}
