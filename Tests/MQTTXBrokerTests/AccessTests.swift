import Crypto
import Foundation
import MQTTCore
import MQTTXBroker
import NIOCore
import TestSupport
import Testing

// The password of all users is "secret".
@Suite("Who may do what", .timeLimit(.minutes(2)))
struct AccessTests {
    private static let passwords = """
        # users
        old:\(sha512Entry("secret", salt: "0123456789ab"))
        new:\(pbkdf2Entry)
        """

    private static func sha512Entry(_ password: String, salt: String) -> String {
        let hash = SHA512.hash(data: Array((password + salt).utf8))
        return "$6$\(Data(salt.utf8).base64EncodedString())$\(Data(hash).base64EncodedString())"
    }

    private static let pbkdf2Entry =
        "$7$101$AAECAwQFBgcICQoL$Xr99N9ym9ys8TWxis5ajETJq6EVYzmc6nb8t3pUYnPBbCAbICS4xejTltonXWCtJNBvA+By+TXUqU6qCblO00w=="

    @Test("A wrong password is CONNACK 0x05 in 3.1.1 and 0x86 in 5.0; a right one is let in")
    func passwords() async throws {
        try await withBroker({ $0.authenticator = try PasswordFile(contents: Self.passwords) }) { broker in
            for user in ["old", "new"] {
                for version in ProtocolVersion.allCases {
                    _ = try await RawClient.connect(broker, version: version, username: user, password: "secret")
                }
            }
            let new = try await RawClient.open(broker)
            let wrong = Connect(version: .v5, clientID: "a", username: "old", password: ByteBuffer(string: "Secret"))
            #expect(try await new.handshake(wrong).reasonCode == .badUserNameOrPassword)
            let bytes = try await RawBytes.exchange(
                broker.port,
                [0x10, 20, 0, 4] + Array("MQTT".utf8) + [4, 0xC2, 0, 0, 0, 0, 0, 3] + Array("old".utf8) + [0, 1, 65])
            #expect(bytes == [0x20, 2, 0, 5])
        }
    }

    @Test("A user name is that of the password file byte for byte")
    func noNormalization() async throws {
        let contents = "caf\u{E9}:\(Self.pbkdf2Entry)\n"
        try await withBroker({ $0.authenticator = try PasswordFile(contents: contents) }) { broker in
            _ = try await RawClient.connect(broker, username: "caf\u{E9}", password: "secret")
            await #expect(throws: RawClientError.refused(.badUserNameOrPassword)) {
                try await RawClient.connect(broker, username: "cafe\u{301}", password: "secret")
            }
        }
    }

    @Test("A password file that can't be used is an error that names the line")
    func badFile() {
        #expect(throws: MQTTXError.self) { try PasswordFile(contents: "user:plaintext") }
        #expect(throws: MQTTXError.self) { try PasswordFile(contents: "user:$7$0$AAAA$AAAA") }
        #expect(throws: MQTTXError.self) { try PasswordFile(path: "/nowhere/at/all") }
    }

    @Test("An authenticator that takes its time holds back that connection alone, and keeps its packets in order")
    func slowAuthenticator() async throws {
        let checks = GatedAuthenticator()
        try await withBroker({ $0.authenticator = checks }) { broker in
            let slow = try await RawClient.open(broker)
            try await slow.send(
                .connect(Connect(version: .v5, clientID: "slow", username: "u")),
                .subscribe(Subscribe(packetID: 1, filters: [.init("t")])),
                .publish(Publish(topic: "t", payload: ByteBuffer(string: "mine"))))
            let other = try await RawClient.connect(broker)
            #expect(try await other.drain().isEmpty)
            checks.gate.open()
            guard case .connack(let connack) = try await slow.receive(), case .suback = try await slow.receive() else {
                Issue.record("no CONNACK and SUBACK")
                return
            }
            #expect(connack.reasonCode == .success)
            #expect(try await slow.message().text == "mine")
        }
    }

    @Test("The ACL file decides over publishing, subscribing and receiving [MQTT311-3.3.5-2]")
    func accessControl() async throws {
        let rules = """
            topic read public/#
            user ann
            topic readwrite home/#
            topic deny home/safe
            topic write out
            pattern readwrite own/%u/%c/#
            """
        try await withBroker({ $0.authorizer = try ACLFile(contents: rules) }) { broker in
            let ann = try await RawClient.connect(broker, "c1", username: "ann")
            #expect(try await ann.publish("home/x", qos: .atLeastOnce) == .noMatchingSubscribers)
            #expect(try await ann.publish("home/safe", qos: .atLeastOnce) == .notAuthorized)
            #expect(try await ann.publish("home/safe", qos: .exactlyOnce) == .notAuthorized)
            #expect(try await ann.publish("public/x", qos: .atLeastOnce) == .notAuthorized)
            #expect(try await ann.publish("own/ann/c1/a", qos: .atLeastOnce) == .noMatchingSubscribers)
            #expect(try await ann.publish("own/ann/c2/a", qos: .atLeastOnce) == .notAuthorized)
            #expect(try await ann.subscribe("out") == .notAuthorized)
            #expect(try await ann.subscribe("home/safe") == .notAuthorized)
            #expect(try await ann.subscribe("#") == .grantedQoS2)
            let nobody = try await RawClient.connect(broker, "c2", version: .v3_1_1)
            #expect(try await nobody.subscribe("home/#") == .unspecifiedError)
            #expect(try await nobody.subscribe("public/+") == .grantedQoS2)
            // 3.1.1 has no way to say no: acknowledged, and dropped.
            #expect(try await nobody.publish("home/x", qos: .atLeastOnce) == .success)
            #expect(try await ann.drain().isEmpty)
            try await ann.publish("out", "unread", qos: .atLeastOnce)
            try await ann.publish("home/y", "read")
            #expect(try await ann.message().text == "read")
        }
    }

    @Test("SCRAM-SHA-256 lets in who knows the password, and authenticates anew [MQTT-4.12.0-2, -4, MQTT-4.12.1-2]")
    func scram() async throws {
        try await withBroker({
            $0.anonymous = .never
            $0.enhancedAuthenticators = [SCRAMSHA256(users: ["user": try .init(password: "pencil")])]
        }) { broker in
            let client = try await RawClient.open(broker)
            func auth(_ code: ReasonCode, _ data: String) -> Packet {
                .auth(
                    Auth(
                        reasonCode: code,
                        properties: .with {
                            $0.authenticationMethod = "SCRAM-SHA-256"
                            $0.authenticationData = ByteBuffer(string: data)
                        }))
            }
            func answer(_ first: String, _ password: String) async throws -> (message: String, verifier: String) {
                guard case .auth(let challenge) = try await client.receive() else { throw RawClientError.unexpected }
                #expect(challenge.reasonCode == .continueAuthentication)
                let server = String(buffer: challenge.properties.authenticationData ?? ByteBuffer())
                return try ScramClient.final(first: first, server: server, password: password)
            }
            var connect = Connect(version: .v5, clientID: "a")
            connect.properties.authenticationMethod = "SCRAM-SHA-256"
            connect.properties.authenticationData = ByteBuffer(string: "n,,n=user,r=abc")
            try await client.send(.connect(connect))
            let first = try await answer("n=user,r=abc", "pencil")
            try await client.send(auth(.continueAuthentication, first.message))
            guard case .connack(let connack) = try await client.receive() else { throw RawClientError.unexpected }
            #expect(connack.reasonCode == .success)
            #expect(connack.properties.authenticationData == ByteBuffer(string: first.verifier))
            try await client.send(auth(.reAuthenticate, "n,,n=user,r=def"))
            let second = try await answer("n=user,r=def", "wrong")
            try await client.send(auth(.continueAuthentication, second.message))
            #expect(try await client.closed() == .notAuthorized)
        }
    }

    @Test("Between an AUTH and its answer a client may send AUTH and DISCONNECT alone [MQTT-3.1.2-30]")
    func authenticationAlone() async throws {
        let scram = SCRAMSHA256(users: ["edge": try .init(password: "secret")])
        try await withBroker({
            $0.enhancedAuthenticators = [scram]
            $0.connectTimeout = .seconds(60)
        }) { broker in
            let client = try await RawClient.open(broker)
            var connect = Connect(version: .v5, clientID: "edge")
            connect.properties.authenticationMethod = scram.method
            connect.properties.authenticationData = ByteBuffer(string: "n,,n=edge,r=nonce")
            try await client.send(.connect(connect))
            guard case .auth = try await client.receive() else { throw RawClientError.unexpected }
            try await client.send(.publish(Publish(topic: "t", payload: ByteBuffer(string: "x"))))
            try await client.closed()
        }
    }
}
