import MQTTXBroker
import Testing

@Suite("Defaults from the environment and from files", .timeLimit(.minutes(2)))
struct EnvironmentTests {
    @Test("Host, port and URL come from the environment; the command line wins")
    func environment() async throws {
        try await withBroker { broker in
            let environment = ["MQTTXX_HOST": "127.0.0.1", "MQTTXX_PORT": "\(broker.port)"]
            let arguments = ["pub", "-t", "a", "-m", "x", "-q", "1"]
            let sent = try await Tool.run(arguments, environment: environment)
            #expect(sent.status == 0, "\(sent.errors)")
            let elsewhere = try await Tool.run(arguments + ["-p", "1"], environment: environment)
            #expect(elsewhere.status == 10)
            let url = ["MQTTXX_URL": "mqtt://127.0.0.1:\(broker.port)/from/url"]
            let byURL = try await Tool.run(["pub", "-m", "x", "-q", "1"], environment: url)
            #expect(byURL.status == 0, "\(byURL.errors)")
        }
    }

    @Test("A user name and a password come from the environment")
    func credentials() async throws {
        let recorder = ConnectRecorder()
        var config = BrokerConfig(listeners: [.tcp()])
        config.authenticator = recorder
        try await withBroker(config) { broker in
            let result = try await broker.run(
                "pub", "-t", "a", "-m", "x",
                environment: ["MQTTXX_USERNAME": "me", "MQTTXX_PASSWORD": "se cret", "MQTTXX_ID": "it"])
            #expect(result.status == 0)
            #expect(recorder.attempts.map(\.clientID) == ["it"])
            #expect(recorder.attempts.map(\.username) == ["me"])
            #expect(recorder.attempts.first?.password == Array("se cret".utf8))
        }
    }

    @Test(
        "A value in the environment that is none is a mistake like one on the command line",
        arguments: ["MQTTXX_PORT", "MQTTXX_KEEPALIVE", "MQTTXX_MQTT_VERSION", "MQTTXX_SESSION_EXPIRY", "MQTTXX_URL"])
    func mistakes(_ name: String) async throws {
        let result = try await Tool.run(["pub", "-t", "a", "-m", "x"], environment: [name: "x"])
        #expect(result.status == 64)
        #expect(result.errors.contains(name))
    }

    @Test("The demo brings its own broker, whatever the environment says")
    func demo() async throws {
        let result = try await Tool.run(
            ["demo"], environment: ["MQTTXX_HOST": "nowhere.invalid", "MQTTXX_TLS": "1", "MQTTXX_UNIX": "/none"])
        #expect(result.status == 0, "\(result.errors)")
    }
}
