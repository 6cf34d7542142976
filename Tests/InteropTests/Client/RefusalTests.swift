import Foundation
import MQTTX
import TestSupport
import Testing

@Suite("Each thing that goes wrong has its own clear error", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(2)))
struct RefusalTests {
    /// The error with which a client fails to connect.
    private func failure(
        _ config: MQTTConfig, _ location: SourceLocation = #_sourceLocation
    ) async throws -> MQTTXError {
        let client = MQTTClient(config)
        let error = await #expect(throws: MQTTXError.self, sourceLocation: location) { try await client.connect() }
        #expect(!client.isConnected, sourceLocation: location)
        await client.disconnect()
        return try #require(error, sourceLocation: location)
    }

    @Test("A port where nobody listens, and a host that does not exist")
    func unreachable() async throws {
        let port = try freePort()
        let refused = try await failure(MQTTConfig(brokerHost: "127.0.0.1", brokerPort: port))
        #expect(refused.code == .connectionFailed)
        #expect(refused.message.contains("127.0.0.1:\(port)"))
        let unknown = try await failure(MQTTConfig(brokerHost: "no-such-host.invalid"))
        #expect(unknown.code == .connectionFailed)
        #expect(unknown.message.contains("no-such-host.invalid"))
    }

    @Test("A wrong password, and none", arguments: [ProtocolVersion.v3_1_1, .v5])
    func password(_ version: ProtocolVersion) async throws {
        try await Mosquitto.run(Mosquitto.Options(users: ["anna": "secret"])) { mosquitto in
            var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port(), version: version)
            let anonymous = try await failure(config)
            #expect(anonymous.code == .authenticationFailed)
            #expect(anonymous.reasonCode != nil)
            config.auth = AuthConfig(username: "anna", password: "wrong")
            let wrong = try await failure(config)
            #expect(wrong.code == .authenticationFailed)
            #expect(wrong.category == .permission)
            config.auth = AuthConfig(username: "anna", password: "secret")
            try await MQTTClient.withConnection(config) { client in #expect(client.isConnected) }
        }
    }

    @Test("Certificates: an authority not trusted, another name, none where one is asked for")
    func certificates() async throws {
        let options = Mosquitto.Options(links: [.tcp, .tls, .mutualTLS])
        try await Mosquitto.run(options) { mosquitto in
            func config(_ listener: Link, _ tls: TLSConfig) -> MQTTConfig {
                MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port(listener), tls: tls)
            }
            let trusting = TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem"))

            var stranger = trusting
            stranger.caCerts = TestCertificates.path("stranger.pem")
            let untrusted = try await failure(config(.tls, stranger))
            #expect(untrusted.code == .tlsFailed)

            var named = trusting
            named.serverName = "elsewhere.example"
            let otherName = try await failure(config(.tls, named))
            #expect(otherName.code == .tlsFailed)
            #expect(otherName.message != untrusted.message)

            let unidentified = try await failure(config(.mutualTLS, trusting))
            #expect(unidentified.code == .tlsFailed)

            var absent = trusting
            absent.caCerts = TestCertificates.path("absent.pem")
            let missing = try await failure(config(.tls, absent))
            #expect(missing.code == .tlsFailed)
            #expect(missing.message.contains("absent.pem"))

            let plainPort = try await failure(config(.tcp, trusting))
            #expect(plainPort.code == .tlsFailed)

            let off = TLSConfig(enabled: false, caCerts: TestCertificates.path("ca.pem"))
            #expect(try await failure(config(.tcp, off)).code == .tlsFailed)
        }
    }

    @Test("A certificate for another name, of an authority that is trusted")
    func otherName() async throws {
        let options = Mosquitto.Options(
            links: [.tls], serverCertificate: "elsewhere")
        try await Mosquitto.run(options) { mosquitto in
            var config = MQTTConfig(
                brokerHost: "127.0.0.1", brokerPort: mosquitto.port(.tls),
                tls: TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem")))
            let error = try await failure(config)
            #expect(error.code == .tlsFailed)
            config.tls.checkHostname = false
            try await MQTTClient.withConnection(config) { client in #expect(client.isConnected) }
        }
    }

    @Test("Plain MQTT on a port that speaks TLS")
    func plainOnTLS() async throws {
        try await Mosquitto.run(Mosquitto.Options(links: [.tls])) { mosquitto in
            let error = try await failure(MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port(.tls)))
            #expect(error.category == .connection)
        }
    }

    @Test("A message that the access rules forbid is an error on MQTT 5.0")
    func forbiddenTopic() async throws {
        let options = Mosquitto.Options(access: ["topic readwrite allowed/#"])
        try await Mosquitto.run(options) { mosquitto in
            let config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port())
            try await MQTTClient.withConnection(config) { client in
                try await client.publish("allowed/a", "1", qos: .atLeastOnce)
                for qos in [QoS.atLeastOnce, .exactlyOnce] {
                    let error = await #expect(throws: MQTTXError.self) {
                        try await client.publish("forbidden/a", "1", qos: qos)
                    }
                    #expect(error?.code == .permissionDenied)
                    #expect(error?.reasonCode == .notAuthorized)
                }
            }
        }
    }

    @Test("What the client can tell by itself never reaches the broker")
    func local() async throws {
        try await Mosquitto.run { mosquitto in
            var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: mosquitto.port(), maxPayloadSize: 1000)
            config.whileDisconnected = .refuse
            let client = MQTTClient(config)
            try await client.connect()
            func expect(_ code: ErrorCode, _ body: () async throws -> Void) async {
                let error = await #expect(throws: MQTTXError.self) { try await body() }
                #expect(error?.code == code)
            }
            await expect(.invalidTopic) { try await client.subscribe("a/#/b") { (_: MQTTMessage) in } }
            await expect(.invalidTopic) { try await client.publish("a/+/b", "x") }
            await expect(.payloadTooLarge) { try await client.publish("a", [UInt8](repeating: 0, count: 1001)) }
            await client.disconnect()
            await expect(.notConnected) { try await client.publish("a", "x", qos: .atLeastOnce) }
        }
    }

    @Test("Another client with the same id takes the session over, and the first one stays away")
    func takeover() async throws {
        // mosquitto 2.0.11 closes without saying why: only a broker that does can be told from a lost connection.
        try await BrokerKind.embedded.run { place in
            let config = place.config(id: "one-and-only")
            let first = MQTTClient(config)
            try await first.connect()
            try await MQTTClient.withConnection(config) { _ in
                await first.reaches { if case .disconnected = $0 { true } else { false } }
                guard case .disconnected(let error) = first.state else { return }
                #expect(error?.code == .sessionTakenOver)
            }
            await first.disconnect()
        }
    }
}
