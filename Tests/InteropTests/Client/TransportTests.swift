import Foundation
import MQTTX
import Testing

@Suite("Our client and mosquitto over every transport", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(2)))
struct TransportTests {
    @Test("Messages of every QoS go out and come back over every transport, in both versions")
    func everyTransport() async throws {
        try await withCertificates { certificates in
            let options = Mosquitto.Options(listeners: Mosquitto.Listener.allCases, certificates: certificates)
            try await Mosquitto.run(options) { mosquitto in
                for listener in Mosquitto.Listener.allCases {
                    for version in [ProtocolVersion.v3_1_1, .v5] {
                        let config = Self.config(for: listener, of: mosquitto, certificates, version)
                        try await Self.echo(config, "\(listener) \(version)")
                    }
                }
            }
        }
    }

    static func config(
        for listener: Mosquitto.Listener, of mosquitto: Mosquitto, _ certificates: URL, _ version: ProtocolVersion
    ) -> MQTTConfig {
        var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port(listener), version: version)
        let trusting = TLSConfig(enabled: true, caCerts: certificates.file("ca.pem"))
        switch listener {
        case .tcp: break
        case .tls: config.tls = trusting
        case .mutualTLS:
            config.tls = trusting
            config.tls.certFile = certificates.file("client.pem")
            config.tls.keyFile = certificates.file("client.key")
        case .webSocket: config.transport = .webSocket(path: "/mqtt")
        case .secureWebSocket:
            config.transport = .webSocket(path: "/mqtt")
            config.tls = trusting
        case .unix: config.transport = .unixSocket(path: mosquitto.socketPath)
        }
        return config
    }

    private static func echo(_ config: MQTTConfig, _ name: String) async throws {
        try await MQTTClient.withConnection(config) { client in
            #expect(client.protocolVersion == config.version)
            let inbox = try await client.inbox("echo/#", qos: .exactlyOnce)
            // mosquitto 2.0.11 never sends the rest of a large message from one WebSocket to another (Paho's either).
            let isWebSocket = if case .webSocket = config.transport { true } else { false }
            let large = [UInt8](repeating: 0xA5, count: isWebSocket ? 1_000 : 300_000)
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                for (topic, payload) in [
                    ("echo/small", Array("ß 漢字 😀".utf8)), ("echo/none", []), ("echo/large", large),
                ] {
                    try await client.publish(topic, payload, qos: qos)
                    let message = try #require(await inbox.next(), "\(name)")
                    #expect(message.topic == topic, "\(name)")
                    #expect(message.qos == qos, "\(name)")
                    // Not compared in the macro, which would look for the difference byte by byte.
                    let isSame = message.payload.readableBytesView.elementsEqual(payload)
                    #expect(isSame, "\(name), \(topic): \(message.payload.readableBytes) bytes")
                }
            }
            #expect(client.isConnected)
        }
    }

    @Test("MQTT 5.0 properties arrive as they were sent")
    func properties() async throws {
        try await Mosquitto.run { mosquitto in
            try await MQTTClient.withConnection(
                MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port())
            ) { client in
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
