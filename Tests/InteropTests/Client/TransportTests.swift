import MQTTX
import MQTTXTesting
import TestSupport
import Testing

@Suite(
    "Our client and other brokers over every transport", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(3)))
struct TransportTests {
    @Test(
        "Messages of every QoS go out and come back over every transport, in both versions",
        arguments: BrokerKind.allCases)
    func everyTransport(_ broker: BrokerKind) async throws {
        try await broker.run(over: Link.allCases) { place in
            for link in Link.allCases {
                for version in [ProtocolVersion.v3_1_1, .v5] {
                    // mosquitto 2.0.11 never sends the rest of a large message from one WebSocket to another.
                    let size = broker == .mosquitto && link.isWebSocket ? 1_000 : 1 << 20
                    try await echo(place.config(link, version: version), "\(link) \(version)", largest: size)
                }
            }
        }
    }

    private func echo(_ config: MQTTConfig, _ name: String, largest: Int) async throws {
        var config = config
        config.maxPayloadSize = 2 << 20
        try await MQTTClient.withConnection(config) { client in
            #expect(client.protocolVersion == config.version)
            let inbox = try await client.inbox("echo/#", qos: .exactlyOnce)
            let payloads = [MQTTPeer.Payload.text("ß 漢字 😀"), .text(""), .pattern(size: largest)].map(\.bytes)
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                for payload in payloads {
                    try await client.publish("echo/\(payload.readableBytes)", payload, qos: qos)
                    let message = try #require(await inbox.next(), "\(name)")
                    #expect(message.topic == "echo/\(payload.readableBytes)", "\(name)")
                    #expect(message.qos == qos, "\(name)")
                    // Not compared in the macro, which would look for the difference byte by byte.
                    let isSame = message.payload == payload
                    #expect(isSame, "\(name), \(message.topic): \(message.payload.readableBytes) bytes")
                }
            }
            #expect(client.isConnected)
        }
    }

    @Test("RPC and events work over every transport", arguments: BrokerKind.allCases)
    func layers(_ broker: BrokerKind) async throws {
        try await broker.run(over: Link.allCases) { place in
            for link in Link.allCases {
                try await MQTTClient.withConnection(place.config(link, id: "service")) { service in
                    let rpc = try await ConventionalRPCManager(service, myTopic: "services/adder") { rpc in
                        rpc.register("add") { (numbers: [Int]) in numbers.reduce(0, +) }
                    }
                    try await MQTTClient.withConnection(place.config(.tcp, id: "device")) { device in
                        let caller = try await ConventionalRPCManager(device, myTopic: "devices/caller")
                        let sum: Int = try await caller.call("services/adder", "add", params: [40, 2])
                        #expect(sum == 42, "\(link)")
                        let missing = await #expect(throws: MQTTXError.self) {
                            try await caller.call("services/adder", "subtract")
                        }
                        #expect(missing?.code == .methodNotFound, "\(link)")

                        let events = EventChannelManager(service)
                        let heard = Inbox<JSONValue>()
                        try await events.subscribe("sensors/+/state") { _, event in heard.put(event.data) }
                        try await EventChannelManager(device).publish(
                            "sensors/\(link)/state", EventMessage(eventType: "changed", data: ["on": true]),
                            qos: .atLeastOnce)
                        #expect(await heard.next() == ["on": true], "\(link)")
                        await caller.close()
                    }
                    await rpc.close()
                }
            }
        }
    }

    @Test(
        "A connection that is cut comes back to its session, and nothing sent meanwhile is lost",
        arguments: BrokerKind.allCases, [ProtocolVersion.v3_1_1, .v5])
    func resumes(_ broker: BrokerKind, _ version: ProtocolVersion) async throws {
        try await broker.run { place in
            let proxy = try await FaultProxy.start(host: place.host, port: place.port())
            var config = place.config(id: "survivor", version: version)
            config.brokerPort = proxy.port
            config.cleanSession = false
            config.reconnect = ReconnectConfig(interval: .milliseconds(50), maxInterval: .milliseconds(200))
            let survivor = MQTTClient(config)
            try await survivor.connect()
            let inbox = try await survivor.inbox("numbers", qos: .exactlyOnce)

            try await proxy.refuse()
            try await proxy.cut()
            await survivor.reaches { !$0.isConnected }
            try await MQTTClient.withConnection(place.config(id: "other", version: version)) { other in
                for number in 0..<20 {
                    try await other.publish("numbers", "\(number)", qos: number % 2 == 0 ? .atLeastOnce : .exactlyOnce)
                }
            }
            try await proxy.refuse(false)
            await survivor.reaches(\.isConnected)
            #expect(survivor.server?.sessionPresent == true)
            #expect(await inbox.next(20).map(\.string) == (0..<20).map { "\($0)" })
            await survivor.disconnect()
            try await proxy.stop()
        }
    }

    @Test("MQTT 5.0 properties arrive as they were sent", arguments: BrokerKind.allCases)
    func properties(_ broker: BrokerKind) async throws {
        try await broker.run { place in
            try await MQTTClient.withConnection(place.config()) { client in
                #expect(client.protocolVersion == .v5)
                let inbox = try await client.inbox("properties")
                let sent = Properties.with {
                    $0.contentType = "application/json"
                    $0.responseTopic = "answers/here"
                    $0.correlationData = ByteBuffer(bytes: [0, 255, 1])
                    $0.messageExpiryInterval = 3600
                    $0.userProperties = [UserProperty("k", "1"), UserProperty("k", "ß")]
                }
                try await client.publish("properties", "{}", qos: .atLeastOnce, properties: sent)
                let received = try #require(await inbox.next()).properties
                #expect(received.contentType == "application/json")
                #expect(received.responseTopic == "answers/here")
                #expect(received.correlationData == ByteBuffer(bytes: [0, 255, 1]))
                #expect(received.messageExpiryInterval == 3600)
                #expect(received.userProperties == [UserProperty("k", "1"), UserProperty("k", "ß")])
            }
        }
    }
}
