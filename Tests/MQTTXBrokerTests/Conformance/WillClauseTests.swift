import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("Wills, by clause (sections 3.1.2.5, 3.1.3.2)", .timeLimit(.minutes(2)))
struct WillClauseTests {
    private static let payload = ByteBuffer(string: "gone")

    @Test(
        """
        A will is stored with its QoS and RETAIN, and published as it says when the connection ends \
        [MQTT-3.1.2-7, -12, -14, -15, MQTT311-3.1.2-8, -14, -16, -17]
        """,
        arguments: ProtocolVersion.allCases, [false, true])
    func published(version: ProtocolVersion, retain: Bool) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker, version: version)
            try await watcher.subscribe("will/+")
            for qos in QoS.allCases {
                let topic = "will/\(qos.rawValue)"
                let will = Will(topic: topic, payload: Self.payload, qos: qos, retain: retain)
                try await RawClient.connect(broker, "doomed", version: version, will: will).cut()
                let message = try await watcher.message()
                #expect(message.topic == topic && message.qos == qos && message.text == "gone" && !message.retain)
            }
            let late = try await RawClient.connect(broker, version: version)
            try await late.subscribe("will/+")
            #expect(try await late.texts(retain ? 3 : 0) == (retain ? ["gone", "gone", "gone"] : []))
        }
    }

    @Test(
        """
        A will is published once: it is gone with the connection it was for [MQTT-3.1.2-10, \
        MQTT311-3.1.2-10, -12]
        """, arguments: ProtocolVersion.allCases)
    func once(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker, version: version)
            try await watcher.subscribe("will")
            let will = Will(topic: "will", payload: Self.payload)
            try await RawClient.resume(broker, "doomed", version: version, will: will).cut()
            #expect(try await watcher.message().text == "gone")
            // The session goes on, without a will.
            try await RawClient.resume(broker, "doomed", version: version).cut()
            let third = try await RawClient.resume(broker, "doomed", version: version)
            #expect(try await third.drain().isEmpty)
            #expect(try await watcher.drain().isEmpty)
        }
    }

    @Test(
        """
        DISCONNECT discards the will, for good [MQTT-3.1.2-10, MQTT-3.14.4-3, MQTT311-3.1.2-8, -10, \
        MQTT311-3.14.4-3]
        """, arguments: ProtocolVersion.allCases)
    func discarded(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker, version: version)
            try await watcher.subscribe("will")
            let will = Will(topic: "will", payload: Self.payload)
            try await RawClient.resume(broker, "polite", version: version, will: will).disconnect()
            try await RawClient.resume(broker, "polite", version: version).cut()
            let third = try await RawClient.resume(broker, "polite", version: version)
            #expect(try await third.drain().isEmpty)
            #expect(try await watcher.drain().isEmpty)
        }
    }

    @Test(
        "DISCONNECT with any reason but 0 leaves the will to be published [MQTT-3.14.4-3]",
        arguments: [ReasonCode.disconnectWithWill, .unspecifiedError, .quotaExceeded, .messageRateTooHigh])
    func disconnectWithReason(code: ReasonCode) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("will")
            let will = Will(topic: "will", payload: Self.payload)
            try await RawClient.connect(broker, "a", will: will).disconnect(code)
            #expect(try await watcher.message().text == "gone")
        }
    }

    @Test("A violation has the will published [MQTT-3.1.2-8]", arguments: ProtocolVersion.allCases)
    func violation(version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker, version: version)
            try await watcher.subscribe("will")
            let will = Will(topic: "will", payload: Self.payload)
            let client = try await RawClient.connect(broker, "a", version: version, will: will)
            try await client.send(bytes: [0x00, 0x00])
            try await client.closed()
            #expect(try await watcher.message().text == "gone")
        }
    }

    @Test("The will's properties travel with it, user properties in their order [MQTT-3.1.3-10]")
    func properties() async throws {
        try await withBroker { broker in
            let watcher = try await RawClient.connect(broker)
            try await watcher.subscribe("will")
            let properties = Properties.with {
                $0.payloadFormatIndicator = 1
                $0.contentType = "text/plain"
                $0.responseTopic = "answers"
                $0.correlationData = ByteBuffer(bytes: [7])
                $0.userProperties = [UserProperty("b", "1"), UserProperty("a", "2"), UserProperty("b", "3")]
            }
            let will = Will(topic: "will", payload: Self.payload, properties: properties)
            try await RawClient.connect(broker, "a", will: will).cut()
            #expect(try await watcher.message().properties == properties)
        }
    }
}
