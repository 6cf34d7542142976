import Foundation
import MQTTCore
import MQTTNetwork
import NIOCore
import TestSupport
import Testing

@Suite("Transports", .timeLimit(.minutes(1)))
struct TransportTests {
    static let serverTLS = TLSServerConfig(
        certFile: TestCertificates.path("server.pem"), keyFile: TestCertificates.path("server.key"))
    static let clientTLS = TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem"))

    /// Packets of all sizes pass both ways, and the end of one side is seen by the other.
    private func converse(_ client: Peer, _ server: Peer) async throws {
        guard case .opened? = await client.next(), case .opened? = await server.next() else {
            Issue.record("not opened")
            return
        }
        for size in [0, 1, 100, 125, 126, 4_000, 65_535, 65_536, 300_000] {
            let publish = Self.publish(size: size)
            client.send(publish)
            try await expectPublish(size: size, at: server)
            server.send(publish)
            try await expectPublish(size: size, at: client)
        }
        client.send(Peer.ping)
        guard case .received(.packet(.pingreq))? = await server.next() else {
            Issue.record("no PINGREQ")
            return
        }
        client.close()
        #expect(await client.end() == nil)
        #expect(await server.end() == nil)
    }

    static func publish(size: Int) -> ByteBuffer {
        var bytes = ByteBuffer(integer: UInt8(0x30))
        var length = size + 3
        repeat {
            let digit = UInt8(length & 0x7F)
            length >>= 7
            bytes.writeInteger(length > 0 ? digit | 0x80 : digit)
        } while length > 0
        bytes.writeBytes([0, 1, UInt8(ascii: "t")])
        bytes.writeImmutableBuffer(payload(size: size))
        return bytes
    }

    private static let pattern = ByteBuffer(bytes: (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) })

    private static func payload(size: Int) -> ByteBuffer { pattern.getSlice(at: 0, length: size) ?? ByteBuffer() }

    private func expectPublish(size: Int, at peer: Peer) async throws {
        guard case .received(.packet(.publish(let publish)))? = await peer.next() else {
            Issue.record("no PUBLISH of \(size) bytes")
            return
        }
        #expect(publish.payload == Self.payload(size: size), "\(size) bytes")
    }

    @Test(
        "packets pass over every transport, both ways [MQTT-4.2-1, MQTT311-7.1.1-1, MQTT311-7.1.2-1]",
        arguments: [false, true], [nil, WebSocketListenSettings(), WebSocketListenSettings(path: "/mqtt")])
    func everyTransport(isSecure: Bool, webSocket: WebSocketListenSettings?) async throws {
        let target = ListenTarget.loopback(tls: isSecure ? Self.serverTLS : nil, webSocket: webSocket)
        try await TestListener.with(target) { listener in
            let suffix = ["", " tls", " ws", " wss"][(isSecure ? 1 : 0) + (webSocket == nil ? 0 : 2)]
            #expect(listener.listener.description == "127.0.0.1:\(listener.listener.port ?? 0)\(suffix)")
            let client = try await dial(
                DialTarget(
                    endpoint: listener.endpoint, tls: isSecure ? Self.clientTLS : nil,
                    webSocket: webSocket.map { _ in WebSocketSettings() }))
            let server = try #require(await listener.accept())
            try await converse(client, server)
        }
    }

    @Test("what was received stays as it came while more is read into the memory around it")
    func heldPayloads() async throws {
        try await TestListener.with(.loopback()) { listener in
            let client = try await dial(DialTarget(endpoint: listener.endpoint))
            let server = try #require(await listener.accept())
            var held: [(size: Int, payload: ByteBuffer)] = []
            for round in 0..<60 {
                // Small ones in between, and a change of what is usual now and then.
                let sizes = (0..<10).map { round % 15 < 5 ? round + $0 : ((round * 10 + $0) &* 7_919) % 200_000 }
                for size in sizes { server.send(Self.publish(size: size)) }
                var left = sizes[...]
                while let size = left.first, let event = await client.next() {
                    guard case .received(.packet(.publish(let publish))) = event else { continue }
                    held.append((size, publish.payload))
                    left.removeFirst()
                }
                if held.count > 40 { held.removeSubrange(0..<(round % 37)) }
            }
            for (size, payload) in held { #expect(payload == Self.payload(size: size), "\(size) bytes") }
            client.close()
        }
    }

    @Test("packets come whole wherever reads break off, with small ones, with large ones, and while all are held")
    func brokenReads() async throws {
        var random = SeededGenerator.announced("broken reads")
        try await TestListener.with(.loopback()) { listener in
            let client = try await dial(DialTarget(endpoint: listener.endpoint))
            let server = try #require(await listener.accept())
            var held: [(size: Int, payload: ByteBuffer)] = []
            for round in 0..<40 {
                // Of one kind for a while, and mixed.
                let kinds = [0...40, 100...3_000, 10_000...70_000, 100_000...300_000]
                let sizes = (0..<12).map { _ in
                    Int.random(
                        in: round % 8 < 4 ? kinds[round / 10] : kinds.randomElement(using: &random) ?? 0...0,
                        using: &random)
                }
                var bytes = ByteBuffer()
                for size in sizes { bytes.writeImmutableBuffer(Self.publish(size: size)) }
                let largest = [1, 7, 1_460, 70_000, .max].randomElement(using: &random) ?? 1
                var pieces = 0
                while bytes.readableBytes > 0 {
                    // Some alone, so that reads break off there; one by one only a few.
                    let limit = pieces < 50 ? largest : .max
                    let count = min(
                        bytes.readableBytes, Int.random(in: 1...min(limit, bytes.readableBytes), using: &random))
                    let piece = bytes.readSlice(length: count) ?? ByteBuffer()
                    server.send(piece)
                    pieces += 1
                    if pieces < 50 { try await server.channel.eventLoop.submit {}.get() }
                }
                var left = sizes[...]
                while let size = left.first, let event = await client.next() {
                    if case .violated(let error) = event { throw error }
                    if case .closed = event { throw ChannelError.eof }
                    guard case .received(.packet(.publish(let publish))) = event else { continue }
                    held.append((size, publish.payload))
                    left.removeFirst()
                }
                if round % 3 == 0 { held.removeSubrange(0..<held.count / 2) }
                for (size, payload) in held where payload != Self.payload(size: size) {
                    Issue.record("a payload of \(size) bytes is another")
                }
            }
            client.close()
        }
    }

    @Test("packets pass over IPv6")
    func ipv6() async throws {
        let target = ListenTarget(endpoint: .tcp(host: "::1", port: 0), tls: Self.serverTLS)
        try await TestListener.with(target) { listener in
            let port = try #require(listener.listener.port)
            #expect(listener.listener.description == "[::1]:\(port) tls")
            // The certificate names the address: it is checked against that, and not sent as a server name.
            let client = try await dial(DialTarget(endpoint: .tcp(host: "::1", port: port), tls: Self.clientTLS))
            try await converse(client, try #require(await listener.accept()))
        }
    }

    @Test("packets pass over a Unix socket, whose file comes and goes with the listener")
    func unixSocket() async throws {
        let path = "/tmp/mqttxx-\(UUID().uuidString).sock"
        let target = ListenTarget(endpoint: .unix(path: path))
        try await TestListener.with(target) { listener in
            #expect(listener.listener.description == "unix:\(path)")
            let client = try await dial(DialTarget(endpoint: .unix(path: path)))
            try await converse(client, try #require(await listener.accept()))
            let error = await #expect(throws: MQTTXError.self) { try await TestListener(target) }
            #expect(error?.message == "cannot listen on unix:\(path): somebody listens there already")
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("a Unix socket's file that nobody listens on is replaced, any other file is not")
    func staleUnixSocket() async throws {
        let path = "/tmp/mqttxx-\(UUID().uuidString).sock"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try makeStaleSocket(path)
        try await TestListener.with(ListenTarget(endpoint: .unix(path: path))) { _ in }
        try Data("precious".utf8).write(to: URL(filePath: path))
        let error = await #expect(throws: MQTTXError.self) {
            try await TestListener(ListenTarget(endpoint: .unix(path: path)))
        }
        #expect(error?.code == .connectionFailed)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }

    private func makeStaleSocket(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { _ = close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
    }

    @Test("a connection beyond the limit is closed, and room is made again when one ends")
    func connectionLimit() async throws {
        var target = ListenTarget.loopback()
        target.maximumConnections = 1
        try await TestListener.with(target) { listener in
            let first = try await dial(DialTarget(endpoint: listener.endpoint))
            let server = try #require(await listener.accept())
            let second = try await dial(DialTarget(endpoint: listener.endpoint))
            _ = await second.end()
            #expect(listener.listener.connectionCount == 1)
            first.close()
            _ = await server.end()
            try await server.channel.closeFuture.get()
            let third = try await dial(DialTarget(endpoint: listener.endpoint))
            #expect(await listener.accept() != nil)
            third.close()
        }
    }

    @Test(
        "a client certificate tells the listener who comes", arguments: ["files", "memory", "pkcs12", "encrypted key"])
    func mutualTLS(kind: String) async throws {
        var serverTLS = Self.serverTLS
        serverTLS.caFile = TestCertificates.path("ca.pem")
        serverTLS.requireClientCertificate = true
        var tls = TLSConfig(enabled: true, caCertificates: try TestCertificates.bytes("ca.der"))
        switch kind {
        case "files":
            tls.certFile = TestCertificates.path("client.pem")
            tls.keyFile = TestCertificates.path("client.key")
        case "memory":
            tls.certificateChain = try TestCertificates.bytes("client.pem")
            tls.privateKey = try TestCertificates.bytes("client.key")
        case "pkcs12":
            tls.pkcs12File = TestCertificates.path("client.p12")
            tls.passphrase = "secret"
        default:
            tls.certFile = TestCertificates.path("client.pem")
            tls.keyFile = TestCertificates.path("client-encrypted.key")
            tls.passphrase = "secret"
        }
        try await TestListener.with(.loopback(tls: serverTLS)) { listener in
            let client = try await dial(DialTarget(endpoint: listener.endpoint, tls: tls))
            let server = try #require(await listener.accept())
            let certificate = try #require(try await server.peerCertificate())
            #expect(certificate.commonName == "device-1")
            #expect(certificate.subject.contains("MQTTX tests"))
            try await converse(client, server)
        }
    }

    @Test("a replaced certificate is used for new connections, a broken one is not")
    func certificateReload() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mqttxx-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let certificate = directory.appending(path: "server.pem").path()
        let key = directory.appending(path: "server.key").path()
        func install(_ name: String) throws {
            for (file, suffix) in [(certificate, "pem"), (key, "key")] {
                try Data(TestCertificates.bytes("\(name).\(suffix)")).write(to: URL(filePath: file), options: .atomic)
            }
        }
        try install("self-signed")
        let serverTLS = TLSServerConfig(certFile: certificate, keyFile: key)
        try await TestListener.with(.loopback(tls: serverTLS)) { listener in
            let target = DialTarget(endpoint: listener.endpoint, tls: Self.clientTLS)
            #expect(await failure(of: target)?.code == .tlsFailed)
            try install("server")
            #expect(await failure(of: target) == nil)
            try Data("broken".utf8).write(to: URL(filePath: certificate), options: .atomic)
            #expect(await failure(of: target) == nil)
            try install("self-signed")
            #expect(await failure(of: target)?.code == .tlsFailed)
        }
    }

    @Test("a client's replaced certificate is used at the next connect, a broken one fails it")
    func clientCertificateReload() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mqttxx-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var tls = Self.clientTLS
        tls.certFile = directory.appending(path: "client.pem").path()
        tls.keyFile = directory.appending(path: "client.key").path()
        func install(_ name: String) throws {
            for suffix in ["pem", "key"] {
                let file = directory.appending(path: "client.\(suffix)")
                try Data(TestCertificates.bytes("\(name).\(suffix)")).write(to: file, options: .atomic)
            }
        }
        var serverTLS = Self.serverTLS
        serverTLS.caFile = TestCertificates.path("ca.pem")
        serverTLS.requireClientCertificate = true
        try await TestListener.with(.loopback(tls: serverTLS)) { listener in
            for (name, commonName) in [("client", "device-1"), ("second-client", "device-2")] {
                try install(name)
                let client = try await dial(DialTarget(endpoint: listener.endpoint, tls: tls))
                let server = try #require(await listener.accept())
                let certificate = try #require(try await server.peerCertificate())
                #expect(certificate.commonName == commonName)
                client.close()
            }
            try Data("broken".utf8).write(to: directory.appending(path: "client.key"))
            #expect(await failure(of: DialTarget(endpoint: listener.endpoint, tls: tls))?.code == .tlsFailed)
        }
    }
}
