import MQTTX

/// JSON written backwards: nobody's format, but it shows that two functions make a codec.
struct BackwardsCodec: Codec {
    func encode(_ value: JSONValue) throws -> ByteBuffer {
        ByteBuffer(bytes: try value.jsonBytes().readableBytesView.reversed())
    }

    func decode(_ bytes: ByteBuffer) throws -> JSONValue {
        try JSONValue(jsonBytes: ByteBuffer(bytes: bytes.readableBytesView.reversed()))
    }
}

enum CustomCodec: Example {
    static let name = "custom-codec"
    static let summary = "RPC and events in a format of one's own, and in MessagePack"

    static func run(_ broker: BrokerAddress) async throws {
        let config = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "polyglot")
        try await MQTTClient.withConnection(config) { client in
            let codecs: [(String, any Codec)] = [("backwards", BackwardsCodec()), ("MessagePack", .messagePack)]
            for (name, codec) in codecs {
                let rpc = try await ConventionalRPCManager(client, myTopic: "codecs/\(name)", codec: codec) { rpc in
                    rpc.register("greet") { (params: JSONValue) in ["greeting": .string("Grüße an \(params["name"])")] }
                }
                let raw = AsyncStream.makeStream(of: MQTTMessage.self)
                try await client.subscribe("events/\(name)") { (message: MQTTMessage) in raw.continuation.yield(message)
                }

                let answer = try await rpc.call("codecs/\(name)", "greet", params: ["name": "Ada"])
                print("\(name):", answer)
                try expect(answer["greeting"].stringValue?.hasPrefix("Grüße") == true, "the greeting")

                try await EventChannelManager(client, codec: codec).publish(
                    "events/\(name)", ["value": 1], qos: .atLeastOnce)
                guard let message = await raw.stream.first(where: { _ in true }) else { return }
                print("\(name) on the wire: \(message.payload.readableBytes) bytes")
                try expect(try codec.decode(message.payload)["value"] == 1, "what was published")
                await rpc.close()
            }
        }
    }
}
