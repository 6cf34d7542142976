import MQTTCore
import MQTTSCRAM
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import MQTTXClient

@Suite("SCRAM-SHA-256", .timeLimit(.minutes(2))) struct SCRAMClientTests {
    private static let challenge =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

    private func client(_ password: String = "pencil", _ iterations: ClosedRange<Int> = 4_096...10_000) -> SCRAMClient {
        SCRAMClient(username: "user", password: password, iterations: iterations, nonce: "rOprNGfwEbeRWgbNEkqO")
    }

    @Test("The example of RFC 7677 comes out byte for byte")
    func vectors() throws {
        var client = client()
        #expect(try client.first() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        #expect(
            try client.final(answering: Self.challenge)
                == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        )
        try client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    }

    @Test(
        "A server that does not prove itself is not believed",
        arguments: ["v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=", "v=AAAA", "", "e=other-error", "x=1"])
    func unproven(last: String) throws {
        var client = client()
        _ = try client.first()
        _ = try client.final(answering: Self.challenge)
        #expect(throws: SCRAMFailure.self) { try client.verify(last) }
        #expect(throws: SCRAMFailure.self) { try client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") }
    }

    @Test("A server that takes us in without the exchange is not believed")
    func skipped() throws {
        var client = client()
        #expect(throws: SCRAMFailure.self) { try client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") }
    }

    @Test(
        "Challenges that are wrong, too cheap or too dear are refused",
        arguments: [
            "", "r=other,s=AAAA,i=4096", "r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4095", "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=10001",
            "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=99999999999999999999", "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=-1",
            "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA", "m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4096",
        ])
    func badChallenge(text: String) throws {
        var client = client()
        _ = try client.first()
        #expect(throws: SCRAMFailure.self) { try client.final(answering: text) }
    }

    @Test("Names are escaped, and names and passwords brought into one form (RFC 4013)")
    func preparation() throws {
        var client = SCRAMClient(username: "a=b,c", password: "p", iterations: 1...2, nonce: "n")
        #expect(try client.first() == "n,,n=a=3Db=2Cc,r=n")
        #expect(SCRAM.prepared("e\u{301}") == "\u{E9}")
        #expect(SCRAM.prepared("I\u{AD}X") == "IX")
        #expect(SCRAM.prepared("\u{2168}") == "IX")
        #expect(SCRAM.prepared("a\u{A0}b") == "a b")
        #expect(SCRAM.prepared("a\u{7}") == nil)
        #expect(SCRAM.prepared("") == nil)
    }

    @Test("Nonces differ")
    func nonces() { #expect(Set((0..<100).map { _ in SCRAM.nonce() }).count == 100) }
}

/// A method that writes down what it is given, and fails where it is told to.
private final class RecordingMethod: AuthenticationMethod, AuthenticationExchange {
    struct Mistake: Error {}
    let name = "RECORDING"
    let seen = Log<String>()
    let failsAtFinish: Bool
    let gate: Gate?

    init(failsAtFinish: Bool = false, gate: Gate? = nil) {
        self.failsAtFinish = failsAtFinish
        self.gate = gate
    }

    func start() -> any AuthenticationExchange { self }

    func begin() -> AuthenticationData {
        AuthenticationData(ByteBuffer(string: "first"), userProperties: [UserProperty("step", "1")])
    }

    private func text(_ data: AuthenticationData) -> String {
        "\(data.data.map { String(buffer: $0) } ?? "nil") \(data.reasonString ?? "") \(data.userProperties.map(\.value))"
    }

    func respond(to challenge: AuthenticationData) -> AuthenticationData {
        seen.add(text(challenge))
        return AuthenticationData(
            ByteBuffer(string: "second"), reasonString: "because", userProperties: [UserProperty("step", "2")])
    }

    func finish(with last: AuthenticationData) async throws {
        await gate?.wait()
        seen.add("finish " + text(last))
        if failsAtFinish { throw Mistake() }
    }
}

@Suite("Enhanced authentication (MQTT 5.0, 4.12)", .timeLimit(.minutes(1)))
struct AuthenticationTests {
    private func properties(_ data: String?) -> Properties {
        .with {
            $0.authenticationMethod = "RECORDING"
            $0.authenticationData = data.map { ByteBuffer(string: $0) }
            $0.reasonString = "why"
            $0.userProperties = [UserProperty("k", "v")]
        }
    }

    @Test(
        "Challenge and answer go back and forth with data, reasons and user properties, and again on the live connection"
    )
    func exchange() async throws {
        try await ScriptedBroker.run { broker, connections in
            let method = RecordingMethod()
            let client = MQTTClient(broker.config { $0.authenticationMethod = method })
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            let connect = try await connection.nextConnect()
            #expect(connect.properties.authenticationMethod == "RECORDING")
            #expect(connect.properties.authenticationData == ByteBuffer(string: "first"))
            #expect(connect.properties.userProperties == [UserProperty("step", "1")])
            try await connection.send(.auth(Auth(reasonCode: .continueAuthentication, properties: properties("c1"))))
            let answer = try await connection.nextAuth()
            #expect(answer.reasonCode == .continueAuthentication)
            #expect(answer.properties.authenticationMethod == "RECORDING")
            #expect(answer.properties.authenticationData == ByteBuffer(string: "second"))
            #expect(answer.properties.reasonString == "because")
            #expect(answer.properties.userProperties == [UserProperty("step", "2")])
            try await connection.send(.connack(ConnAck(properties: properties("last"))))
            try await connecting
            #expect(await method.seen.next(2) == ["c1 why [\"v\"]", "finish last why [\"v\"]"])

            async let again: Void = client.reauthenticate()
            let begin = try await connection.nextAuth()
            #expect(begin.reasonCode == .reAuthenticate)
            #expect(begin.properties.authenticationData == ByteBuffer(string: "first"))
            #expect(begin.properties.userProperties == [UserProperty("step", "1")])
            await expectError(.authenticationFailed) { try await client.reauthenticate() }
            try await connection.send(.auth(Auth(reasonCode: .success, properties: properties(nil))))
            try await again
            #expect(await method.seen.next(1) == ["finish nil why [\"v\"]"])
            await client.disconnect()
        }
    }

    @Test("A broker that the method does not believe is left, even if it sends no last data", arguments: ["last", nil])
    func unproven(data: String?) async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.authenticationMethod = RecordingMethod(failsAtFinish: true) })
            let connecting = Task { try await client.connect() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(.connack(ConnAck(properties: properties(data))))
            await expectError(.authenticationFailed) { try await connecting.value }
            #expect(!client.isConnected)
        }
    }

    @Test("Messages that come with the CONNACK wait until the broker has proved itself")
    func heldBack() async throws {
        try await ScriptedBroker.run { broker, connections in
            let gate = Gate()
            let client = MQTTClient(broker.config { $0.authenticationMethod = RecordingMethod(gate: gate) })
            let log = Log<String>()
            try await client.subscribe("a") { log.add($0.string ?? "") }
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(
                .connack(ConnAck(sessionPresent: true, properties: properties("last"))),
                .publish(Publish(topic: "a", payload: ByteBuffer(string: "1"), qos: .atLeastOnce, packetID: 1)))
            #expect(!client.isConnected)
            gate.open()
            try await connecting
            try await connection.grant()
            #expect(await log.next(1) == ["1"])
            #expect(try await connection.next() == .puback(Acknowledgement(packetID: 1)))
            await client.disconnect()
        }
    }

    @Test("A refused re-authentication is the caller's error")
    func reauthenticationRefused() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(broker.config { $0.authenticationMethod = RecordingMethod() })
            await expectError(.notConnected) { try await client.reauthenticate() }
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            try await connection.send(.connack(ConnAck(properties: properties(nil))))
            try await connecting
            let again = Task { try await client.reauthenticate() }
            _ = try await connection.nextAuth()
            try await connection.send(
                .disconnect(Disconnect(reasonCode: .notAuthorized, properties: .with { $0.reasonString = "expired" })))
            let error = await #expect(throws: MQTTXError.self) { try await again.value }
            #expect(error?.reasonCode == .notAuthorized)
            #expect(error?.properties.reasonString == "expired")
            await client.disconnect()
        }
    }

    @Test("Nobody falls back to MQTT 3.1.1, which would connect without the method")
    func noDowngrade() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.version = nil
                    $0.authenticationMethod = RecordingMethod()
                })
            let connecting = Task { try await client.connect() }
            let connection = try #require(await connections.next())
            _ = try await connection.nextConnect()
            await connection.close()
            await expectError(.connectionFailed) { try await connecting.value }
            let old = MQTTClient(
                broker.config {
                    $0.version = .v3_1_1
                    $0.authenticationMethod = RecordingMethod()
                })
            await expectError(.authenticationFailed) { try await old.connect() }
        }
    }

    @Test("Without a method there is nothing to authenticate anew by, and an AUTH of the broker breaks the protocol")
    func unasked() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            await expectError(.authenticationFailed) { try await client.reauthenticate() }
            try await connection.send(.auth(Auth(reasonCode: .continueAuthentication, properties: properties("x"))))
            #expect(try await connection.nextDisconnect().reasonCode == .protocolError)
            await client.disconnect()
        }
    }
}
