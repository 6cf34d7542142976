import MQTTCore
import MQTTNetwork
import NIOCore
import NIOSSL
import TestSupport
import Testing

@Suite("Failures of TLS: each tells what is wrong", .timeLimit(.minutes(1)))
struct TLSFailureTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var server = "server"
        var host = "localhost"
        var client = TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem"))
        let words: String

        var testDescription: String { name }
    }

    static let certificates: [Case] = [
        Case(name: "self-signed", server: "self-signed", words: "it is self-signed"),
        Case(name: "expired", server: "expired", words: "it has expired"),
        Case(name: "another name", server: "elsewhere", words: "the certificate is for another host name"),
        Case(
            name: "address not in the certificate", server: "elsewhere", host: "127.0.0.1", words: "another host name"),
        Case(
            name: "unknown authority", client: TLSConfig(enabled: true, caCerts: TestCertificates.path("stranger.pem")),
            words: "is unknown"),
        Case(name: "system's authorities", client: .systemDefault, words: "is unknown"),
        Case(
            name: "optional verifies too",
            client: TLSConfig(
                enabled: true, caCerts: TestCertificates.path("stranger.pem"), verifyMode: .optional),
            words: "is unknown"),
        Case(
            name: "without the name, the chain still counts", server: "self-signed",
            client: TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem"), checkHostname: false),
            words: "it is self-signed"),
    ]

    @Test("a bad server certificate", arguments: certificates)
    func serverCertificate(_ example: Case) async throws {
        let tls = TLSServerConfig(
            certFile: TestCertificates.path("\(example.server).pem"),
            keyFile: TestCertificates.path("\(example.server).key"))
        try await TestListener.with(.loopback(tls: tls)) { listener in
            let port = try #require(listener.listener.port)
            let target = DialTarget(endpoint: .tcp(host: example.host, port: port), tls: example.client)
            let error = try #require(await failure(of: target))
            #expect(error.code == .tlsFailed)
            #expect(error.message.hasPrefix("TLS with \(example.host):\(port) failed: "))
            #expect(error.message.contains(example.words), "\(error.message)")
            #expect(error.cause != nil)
        }
    }

    @Test("what is switched off by name is not verified")
    func unverified() async throws {
        let cases: [(String, TLSConfig)] = [
            ("self-signed", TLSConfig(enabled: true, verifyMode: .none)),
            ("elsewhere", TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem"), checkHostname: false)),
        ]
        for (name, client) in cases {
            let tls = TLSServerConfig(
                certFile: TestCertificates.path("\(name).pem"), keyFile: TestCertificates.path("\(name).key"))
            try await TestListener.with(.loopback(tls: tls)) { listener in
                #expect(await failure(of: DialTarget(endpoint: listener.endpoint, tls: client)) == nil)
            }
        }
    }

    @Test("a server name in place of the host is what is verified")
    func serverName() async throws {
        let tls = TLSServerConfig(
            certFile: TestCertificates.path("elsewhere.pem"), keyFile: TestCertificates.path("elsewhere.key"))
        try await TestListener.with(.loopback(tls: tls)) { listener in
            let client = TLSConfig(
                enabled: true, caCerts: TestCertificates.path("ca.pem"), serverName: "elsewhere.example")
            #expect(await failure(of: DialTarget(endpoint: listener.endpoint, tls: client)) == nil)
        }
    }

    static let files: [(TLSConfig, String)] = {
        func path(_ name: String) -> String { TestCertificates.path(name) }
        return [
            (TLSConfig(enabled: true, caCerts: "/no/such.pem"), "cannot read /no/such.pem: No such file or directory"),
            (TLSConfig(enabled: true, caCerts: "/"), "cannot read /: it is no regular file"),
            (
                TLSConfig(enabled: true, caCerts: path("garbage.pem")),
                "\(path("garbage.pem")) holds no valid certificate (PEM or DER)"
            ),
            (TLSConfig(enabled: true, caCerts: path("empty.pem")), "\(path("empty.pem")) is empty"),
            (
                TLSConfig(enabled: true, caCerts: path("client.key")),
                "\(path("client.key")) holds no valid certificate (PEM or DER)"
            ),
            (
                TLSConfig(enabled: true, certFile: path("client.pem")),
                "\(path("client.pem")) is given without its private key"
            ),
            (
                TLSConfig(enabled: true, keyFile: path("client.key")),
                "\(path("client.key")) is given without its certificate"
            ),
            (
                TLSConfig(enabled: true, certFile: path("client.pem"), keyFile: path("server.key")),
                "\(path("client.pem")) and \(path("server.key")): the private key does not belong to the certificate"
            ),
            (
                TLSConfig(enabled: true, certFile: path("client.pem"), keyFile: path("garbage.pem")),
                "\(path("garbage.pem")) holds no valid private key (PEM or DER)"
            ),
            (
                TLSConfig(enabled: true, certFile: path("client.pem"), keyFile: path("client-encrypted.key")),
                "\(path("client-encrypted.key")) is encrypted and no passphrase is given"
            ),
            (
                TLSConfig(
                    enabled: true, certFile: path("client.pem"), keyFile: path("client-encrypted.key"),
                    passphrase: "wrong"),
                "\(path("client-encrypted.key")) does not open with the passphrase given"
            ),
            (
                TLSConfig(enabled: true, pkcs12File: path("client.p12"), passphrase: "wrong"),
                "\(path("client.p12")) is no valid PKCS#12 file, or the passphrase is wrong"
            ),
            (
                TLSConfig(enabled: true, cipherSuites: []),
                "the list of cipher suites is empty"
            ),
            (
                TLSConfig(enabled: false, caCerts: path("ca.pem")),
                "TLS is off (enabled is false), yet it has caCerts \(path("ca.pem"))"
            ),
        ]
    }()

    @Test("a bad file or setting fails before anything is sent", arguments: files)
    func badFile(_ config: TLSConfig, _ message: String) async throws {
        try await TestListener.with(.loopback()) { listener in
            let error = try #require(await failure(of: DialTarget(endpoint: listener.endpoint, tls: config)))
            #expect(error.code == .tlsFailed)
            #expect(error.message == message)
        }
    }

    @Test("a listener with bad files does not open")
    func badListener() async throws {
        let configs = [
            TLSServerConfig(), TLSServerConfig(certFile: TestCertificates.path("server.pem")),
            TLSServerConfig(
                certFile: TestCertificates.path("server.pem"), keyFile: TestCertificates.path("client.key")),
            TLSServerConfig(
                certFile: TestCertificates.path("server.pem"), keyFile: TestCertificates.path("server.key"),
                requireClientCertificate: true),
        ]
        for config in configs {
            let error = await #expect(throws: MQTTXError.self) { try await TestListener(.loopback(tls: config)) }
            #expect(error?.code == .tlsFailed)
        }
    }

    @Test("A reason of the library's comes without the places in its sources")
    func unknownReason() async throws {
        let server = try await RawServer { _ in String(repeating: " \u{3}\0\0\0", count: 10) }
        let target = DialTarget(endpoint: .tcp(host: "127.0.0.1", port: server.port), tls: .systemDefault)
        let error = try #require(await failure(of: target))
        #expect(error.code == .tlsFailed)
        #expect(error.message == "TLS with 127.0.0.1:\(server.port) failed: unexpected record")
        try await server.close()
        let unclean = NetworkFailure.words(for: NIOSSLError.uncleanShutdown)
        #expect(unclean == "the peer ended the connection without closing TLS")
    }

    @Test("TLS to a plain listener")
    func plainListener() async throws {
        // Speaks first, and not TLS.
        try await TestListener.with(.loopback(webSocket: WebSocketListenSettings())) { listener in
            let error = try #require(await failure(of: DialTarget(endpoint: listener.endpoint, tls: .systemDefault)))
            #expect(error.code == .tlsFailed)
            #expect(error.message.hasSuffix("the peer does not speak TLS on this port"), "\(error.message)")
        }
        // Hangs up on the TLS handshake, which is no MQTT.
        try await TestListener.with(.loopback()) { listener in
            let error = try #require(await failure(of: DialTarget(endpoint: listener.endpoint, tls: .systemDefault)))
            #expect(error.code == .tlsFailed)
            #expect(error.message.hasSuffix("the peer closed the connection during the handshake"), "\(error.message)")
        }
    }

    @Test(
        "a listener that demands a client certificate refuses those without a good one",
        arguments: [
            (nil, "the peer demands a certificate from this side"),
            ("stranger-client", "the peer does not know the authority of this side's certificate"),
        ])
    func clientCertificate(_ name: String?, _ words: String) async throws {
        let tls = TLSServerConfig(
            certFile: TestCertificates.path("server.pem"), keyFile: TestCertificates.path("server.key"),
            caFile: TestCertificates.path("ca.pem"), requireClientCertificate: true)
        try await TestListener.with(.loopback(tls: tls)) { listener in
            let client = TLSConfig(
                enabled: true, caCerts: TestCertificates.path("ca.pem"),
                certFile: name.map { TestCertificates.path("\($0).pem") },
                keyFile: name.map { TestCertificates.path("\($0).key") })
            let target = DialTarget(endpoint: listener.endpoint, tls: client)
            // In TLS 1.3 the client is done before the server has looked at its certificate.
            let error: MQTTXError
            do {
                let peer = try await dial(target)
                error = Dialer.translate(try #require(await peer.end()), target: target)
            } catch let failure as MQTTXError {
                error = failure
            }
            #expect(error.code == .tlsFailed)
            #expect(error.message.hasSuffix(words), "\(error.message)")
        }
    }

    @Test("a lone certificate goes out with those between it and the root, where the authorities have them")
    func issuers() async throws {
        let path = TestCertificates.path
        let server = TLSServerConfig(
            certFile: path("chained.pem"), keyFile: path("chained.key"), caFile: path("authorities.pem"))
        try await TestListener.with(.loopback(tls: server)) { listener in
            let client = TLSConfig(enabled: true, caCerts: path("ca.pem"))
            #expect(await failure(of: DialTarget(endpoint: listener.endpoint, tls: client)) == nil)
        }
        let demanding = TLSServerConfig(
            certFile: path("server.pem"), keyFile: path("server.key"), caFile: path("ca.pem"),
            requireClientCertificate: true)
        try await TestListener.with(.loopback(tls: demanding)) { listener in
            let client = TLSConfig(
                enabled: true, caCerts: path("authorities.pem"), certFile: path("chained-client.pem"),
                keyFile: path("chained-client.key"))
            let peer = try await dial(DialTarget(endpoint: listener.endpoint, tls: client))
            let accepted = try #require(await listener.accept())
            #expect(try await accepted.peerCertificate()?.commonName == "device-4")
            peer.close()
        }
    }

    @Test("a version of TLS that the other side does not speak")
    func version() async throws {
        let tls = TLSServerConfig(
            certFile: TestCertificates.path("server.pem"), keyFile: TestCertificates.path("server.key"),
            minimumVersion: .v1_3)
        try await TestListener.with(.loopback(tls: tls)) { listener in
            let client = TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem"), minimumVersion: .v1_3)
            #expect(await failure(of: DialTarget(endpoint: listener.endpoint, tls: client)) == nil)
        }
    }
}
