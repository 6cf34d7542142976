import MQTTCore
import MQTTXBroker
import NIOCore
import Synchronization
import Testing

/// What programs plug in themselves.
@Suite("Checks of one's own", .timeLimit(.minutes(2)))
struct OwnChecksTests {
    private struct Refuses: Authenticator {
        let code: ReasonCode

        func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult { .refused(code, reason: "no") }
    }

    @Test(
        "A refusal goes out with its code, or with 'not authorized' where a CONNACK can't carry it",
        arguments: [
            (ReasonCode.banned, ReasonCode.banned, UInt8(5)), (.serverBusy, .serverBusy, 3),
            (.clientIdentifierNotValid, .clientIdentifierNotValid, 2), (.success, .notAuthorized, 5),
            (.packetIdentifierInUse, .notAuthorized, 5),
        ])
    func refusals(code: ReasonCode, new: ReasonCode, old: UInt8) async throws {
        try await withBroker({ $0.authenticator = Refuses(code: code) }) { broker in
            let client = try await RawClient.open(broker)
            let connack = try await client.handshake(Connect(version: .v5, clientID: "a", username: "u"))
            #expect(connack.reasonCode == new && connack.properties.reasonString == "no")
            try await client.closed()
            let bytes = try await RawBytes.exchange(
                broker.port, [0x10, 16, 0, 4] + Array("MQTT".utf8) + [4, 0x82, 0, 0, 0, 1, 97, 0, 1, 117])
            #expect(bytes == [0x20, 2, 0, old])
        }
    }

    /// Answers never, and tells when it is asked and when it is cancelled.
    private final class Hangs: Authenticator {
        let questions = AsyncStream.makeStream(of: Void.self)
        let cancellations = AsyncStream.makeStream(of: Void.self)
        private let asked = Atomic<Bool>(false)

        var isAsked: Bool { asked.load(ordering: .relaxed) }

        func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult {
            asked.store(true, ordering: .relaxed)
            questions.continuation.yield()
            try? await Task.sleep(for: .seconds(60))
            cancellations.continuation.yield()
            return .accepted()
        }
    }

    @Test("A check that takes longer than a client may take to connect is cancelled, and the client is not let in")
    func deadline() async throws {
        let hangs = Hangs()
        try await withBroker({
            $0.authenticator = hangs
            $0.connectTimeout = .milliseconds(100)
        }) { broker in
            // On a busy machine a client's time may be over before its CONNECT is read.
            while !hangs.isAsked {
                let client = try await RawClient.open(broker)
                try? await client.send(.connect(Connect(version: .v5, clientID: "a", username: "u")))
                try await client.closed()
            }
            for await _ in hangs.cancellations.stream { break }
        }
    }

    @Test("A check is cancelled when its client leaves")
    func abandoned() async throws {
        let hangs = Hangs()
        try await withBroker({ $0.authenticator = hangs }) { broker in
            let client = try await RawClient.open(broker)
            try await client.send(.connect(Connect(version: .v5, clientID: "a", username: "u")))
            for await _ in hangs.questions.stream { break }
            try await client.cut()
            for await _ in hangs.cancellations.stream { break }
        }
    }

    /// Of every kind of access, what is called `yes`.
    private struct Yes: Authorizer {
        func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool { topic == "yes" }
        func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool { filter == "yes" }
    }

    @Test("An authorizer's no is 0x87 for PUBLISH, SUBSCRIBE and a will, and silence at QoS 0", arguments: QoS.allCases)
    func refusedAccess(qos: QoS) async throws {
        try await withBroker({ $0.authorizer = Yes() }) { broker in
            let client = try await RawClient.connect(broker)
            let answers = try await client.subscribe(["yes", "no", "$share/g/yes", "$share/g/no"].map { .init($0) })
            #expect(answers == [.success, .notAuthorized, .success, .notAuthorized])
            #expect(try await client.publish("no", qos: qos) == (qos == .atMostOnce ? nil : .notAuthorized))
            #expect(try await client.drain().isEmpty)
            let will = Will(topic: "no", payload: ByteBuffer(string: "x"), qos: qos)
            await #expect(throws: RawClientError.self) { try await RawClient.connect(broker, will: will) }
            _ = try await RawClient.connect(broker, will: Will(topic: "yes", payload: ByteBuffer(), qos: qos))
        }
    }

    private struct OneStep: EnhancedAuthenticator {
        let method = "ONE"
        let code: ReasonCode
        func begin(_ attempt: ConnectAttempt) -> any EnhancedAuthentication { Step(code: code) }

        struct Step: EnhancedAuthentication {
            let code: ReasonCode
            mutating func receive(_ data: [UInt8]?) async -> EnhancedAuthenticationStep {
                data == nil ? .accepted(identity: "one") : .refused(code)
            }
        }
    }

    @Test(
        "When authenticating anew fails, the DISCONNECT tells why as well as it can",
        arguments: [
            (ReasonCode.banned, ReasonCode.notAuthorized), (.badUserNameOrPassword, .notAuthorized),
            (.success, .notAuthorized), (.administrativeAction, .administrativeAction),
        ])
    func refusedAnew(code: ReasonCode, expected: ReasonCode) async throws {
        try await withBroker({ $0.enhancedAuthenticators = [OneStep(code: code)] }) { broker in
            let client = try await RawClient.connect(broker) { $0.authenticationMethod = "ONE" }
            try await client.send(
                .auth(
                    Auth(
                        reasonCode: .reAuthenticate,
                        properties: .with {
                            $0.authenticationMethod = "ONE"
                            $0.authenticationData = ByteBuffer(string: "x")
                        })))
            #expect(try await client.closed() == expected)
        }
    }
}
