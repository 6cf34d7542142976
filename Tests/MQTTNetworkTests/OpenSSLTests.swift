import MQTTCore
import MQTTNetwork
import NIOCore
import TestSupport
import Testing

@Suite(
    "TLS as OpenSSL sees it", .enabled(if: Checkout.isCI || Checkout.executable("openssl") != nil),
    .timeLimit(.minutes(1)))
struct OpenSSLTests {
    /// What `openssl s_client` says of a listener.
    private func look(at listener: TestListener, _ options: [String]) async throws -> String {
        let client = try ChildProcess(
            try Checkout.tool("openssl"),
            [
                "s_client", "-connect", "127.0.0.1:\(try #require(listener.listener.port))", "-CAfile",
                TestCertificates.path("ca.pem"), "-verify_hostname", "localhost",
            ] + options)
        // It asks to be left, and then goes when it has shaken hands; one that was refused may have gone already.
        try? client.send("Q")
        client.closeInput()
        await client.exitStatus()
        return client.output + client.errors
    }

    @Test("A listener takes TLS 1.2 and 1.3, and nothing older", arguments: [true, false])
    func listenerVersions(isWebSocket: Bool) async throws {
        let target = ListenTarget.loopback(
            tls: TransportTests.serverTLS, webSocket: isWebSocket ? WebSocketListenSettings() : nil)
        try await TestListener.with(target) { listener in
            for version in ["1.2", "1.3"] {
                let text = try await look(at: listener, ["-tls" + version.replacing(".", with: "_")])
                #expect(text.contains("New, TLSv\(version), Cipher is"), "\(text)")
                #expect(text.contains("Verification: OK") || text.contains("Verify return code: 0 (ok)"), "\(text)")
            }
            // With everything allowed that OpenSSL itself frowns upon: it is the listener that refuses.
            for version in ["-tls1", "-tls1_1"] {
                let text = try await look(at: listener, [version, "-cipher", "ALL:@SECLEVEL=0"])
                #expect(text.contains("alert protocol version"), "\(text)")
                #expect(text.contains("New, (NONE), Cipher is (NONE)"), "\(text)")
            }
        }
    }

    @Test("A listener for TLS 1.3 alone refuses 1.2")
    func newestOnly() async throws {
        var tls = TransportTests.serverTLS
        tls.minimumVersion = .v1_3
        try await TestListener.with(.loopback(tls: tls)) { listener in
            let text1 = try await look(at: listener, ["-tls1_3"])
            #expect(text1.contains("New, TLSv1.3"), "\(text1)")
            let text2 = try await look(at: listener, ["-tls1_2"])
            #expect(text2.contains("alert protocol version"), "\(text2)")
        }
    }

    @Test("ALPN selects what the listener speaks: mqtt, or HTTP where WebSockets are")
    func listenerALPN() async throws {
        try await TestListener.with(.loopback(tls: TransportTests.serverTLS)) { listener in
            let text3 = try await look(at: listener, ["-alpn", "h2,mqtt"])
            #expect(text3.contains("ALPN protocol: mqtt"), "\(text3)")
            let text4 = try await look(at: listener, [])
            #expect(text4.contains("No ALPN negotiated"), "\(text4)")
        }
        let target = ListenTarget.loopback(tls: TransportTests.serverTLS, webSocket: WebSocketListenSettings())
        try await TestListener.with(target) { listener in
            let text5 = try await look(at: listener, ["-alpn", "h2,http/1.1"])
            #expect(text5.contains("ALPN protocol: http/1.1"), "\(text5)")
        }
    }

    @Test("A listener takes its certificate from a PKCS#12 file, and from memory in both forms")
    func listenerMaterial() async throws {
        let configs = [
            TLSServerConfig(pkcs12File: TestCertificates.path("server.p12"), passphrase: "secret"),
            TLSServerConfig(
                certificateChain: try TestCertificates.bytes("server.pem"),
                privateKey: try TestCertificates.bytes("server.key")),
            TLSServerConfig(
                certificateChain: try TestCertificates.bytes("server.der"),
                privateKey: try TestCertificates.bytes("server-key.der")),
        ]
        for config in configs {
            try await TestListener.with(.loopback(tls: config)) { listener in
                let text = try await look(at: listener, [])
                #expect(text.contains("Verify return code: 0 (ok)") || text.contains("Verification: OK"), "\(text)")
            }
        }
    }

    /// Dials an `openssl s_server`.
    ///
    /// - Returns: the error of dialling, and what the server said.
    private func dial(_ host: String, _ tls: TLSConfig, server options: [String]) async throws -> (MQTTXError?, String)
    {
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        let server = try ChildProcess(
            try Checkout.tool("openssl"),
            [
                "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert", TestCertificates.path("server.pem"),
                "-key", TestCertificates.path("server.key"),
            ] + options
        ) { line in
            if let line { continuation.yield(line) } else { continuation.finish() }
        }
        let address = try #require(await lines.first { $0.hasPrefix("ACCEPT ") }, "\(server.tail)")
        let port = try #require(address.split(separator: ":").last.flatMap { Int($0) })
        let error = await failure(of: DialTarget(endpoint: .tcp(host: host, port: port), tls: tls))
        await server.exitStatus()
        return (error, server.output + server.errors)
    }

    @Test(
        "A client names the host it wants, offers mqtt, and takes TLS 1.2 and 1.3", arguments: ["-tls1_2", "-tls1_3"])
    func clientHello(version: String) async throws {
        let names = [
            "-alpn", "mqtt", "-servername", "localhost", "-cert2", TestCertificates.path("server.pem"), "-key2",
            TestCertificates.path("server.key"),
        ]
        let (error, text) = try await dial("localhost", TransportTests.clientTLS, server: [version] + names)
        #expect(error == nil)
        #expect(text.contains(#"Hostname in TLS extension: "localhost""#), "\(text)")
        // An address is no name to be sent (RFC 6066, section 3). Where it hears a name, OpenSSL forgets its protocols.
        let (addressError, addressText) = try await dial(
            "127.0.0.1", TransportTests.clientTLS, server: [version] + names)
        #expect(addressError == nil)
        #expect(!addressText.contains("Hostname in TLS extension"), "\(addressText)")
        #expect(addressText.contains("ALPN protocols selected: mqtt"), "\(addressText)")
    }

    @Test("A client refuses a server that speaks nothing newer than TLS 1.1, and one below what it asks for")
    func oldServer() async throws {
        let old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
        let (error, _) = try await dial("localhost", TransportTests.clientTLS, server: old)
        #expect(error?.code == .tlsFailed)
        var newest = TransportTests.clientTLS
        newest.minimumVersion = .v1_3
        let (newestError, _) = try await dial("localhost", newest, server: ["-tls1_2"])
        #expect(newestError?.code == .tlsFailed)
    }
}
