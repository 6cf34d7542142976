import MQTTCore
import MQTTXBroker
import NIOCore
import Testing

@Suite("Authenticating anew on a live connection (section 4.12.1)", .timeLimit(.minutes(2)))
struct ReauthenticationTests {
    private func properties(_ data: String) -> Properties {
        .with {
            $0.authenticationMethod = "SCRAM-SHA-256"
            $0.authenticationData = ByteBuffer(string: data)
        }
    }

    /// A whole exchange, from the packet that begins it to the answer to the client's last message.
    private func exchange(
        _ client: RawClient, as user: String, _ password: String, begin: (Properties) -> Packet
    ) async throws -> Packet {
        let first = "n=\(user),r=nonce"
        try await client.send(begin(properties("n,,\(first)")))
        guard case .auth(let challenge) = try await client.receive() else { throw RawClientError.unexpected }
        let server = String(buffer: challenge.properties.authenticationData ?? ByteBuffer())
        let final = try ScramClient.final(first: first, server: server, password: password)
        try await client.send(.auth(Auth(reasonCode: .continueAuthentication, properties: properties(final.message))))
        return try await client.receive()
    }

    @Test("The same user goes on, however it spells its name; another one is disconnected [MQTT-4.12.1-2]")
    func identities() async throws {
        let users = ["caf\u{E9}": try SCRAMSHA256.Credential(password: "one"), "bob": try .init(password: "two")]
        try await withBroker({
            $0.enhancedAuthenticators = [SCRAMSHA256(users: users)]
            $0.authorizer = try ACLFile(contents: "user caf\u{E9}\ntopic readwrite mine\n")
        }) { broker in
            let client = try await RawClient.open(broker)
            let connack = try await exchange(client, as: "cafe\u{301}", "one") {
                .connect(Connect(version: .v5, clientID: "a", properties: $0))
            }
            guard case .connack(let connack) = connack else { throw RawClientError.unexpectedPacket(connack) }
            #expect(connack.reasonCode == .success)
            // The name is the one that the broker knows.
            #expect(try await client.publish("mine", qos: .atLeastOnce) == .noMatchingSubscribers)
            func again(_ user: String, _ password: String) async throws -> Packet {
                try await exchange(client, as: user, password) {
                    .auth(Auth(reasonCode: .reAuthenticate, properties: $0))
                }
            }
            for name in ["caf\u{E9}", "cafe\u{301}"] {
                guard case .auth(let auth) = try await again(name, "one") else { throw RawClientError.unexpected }
                #expect(auth.reasonCode == .success)
            }
            #expect(try await again("bob", "two") == .disconnect(Disconnect(reasonCode: .notAuthorized)))
            #expect(try await client.next() == nil)
        }
    }
}
