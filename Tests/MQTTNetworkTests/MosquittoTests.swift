import Foundation
import MQTTCore
import MQTTNetwork
import NIOCore
import NIOPosix
import Testing

@Suite("mosquitto takes our handshakes", .timeLimit(.minutes(1)), .enabled(if: Mosquitto.isInstalled))
struct MosquittoTests {
    @Test("over every transport", arguments: ["tcp", "tls", "mutual tls", "ws", "unix"])
    func transport(_ kind: String) async throws {
        let mosquitto = try Mosquitto(kind, port: try await freePort())
        do {
            try await mosquitto.start()
            try await connect(try mosquitto.target)
        } catch {
            Issue.record(error)
        }
        await mosquitto.stop()
    }

    private func freePort() async throws -> Int {
        let probe = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(probe.localAddress?.port)
        try await probe.close()
        return port
    }

    private func connect(_ target: DialTarget) async throws {
        let peer = try await dial(target)
        // CONNECT of 3.1.1, clean session, an empty client id.
        peer.send(ByteBuffer(bytes: [0x10, 12, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 0]))
        guard case .opened? = await peer.next(), case .received(.packet(.connack(let connack)))? = await peer.next()
        else {
            Issue.record("no CONNACK")
            return
        }
        #expect(connack.reasonCode == .success)
        peer.close()
    }
}

/// A mosquitto with one listener.
private struct Mosquitto {
    static let path = "/usr/sbin/mosquitto"
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

    private let process = Process()
    private let kind: String
    private let port: Int
    private let directory = FileManager.default.temporaryDirectory.appending(path: "mqttxx-\(UUID().uuidString)").path()

    init(_ kind: String, port: Int) throws {
        self.kind = kind
        self.port = port
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let configuration = "\(directory)/mosquitto.conf"
        try lines.joined(separator: "\n").write(toFile: configuration, atomically: true, encoding: .utf8)
        process.executableURL = URL(filePath: Self.path)
        process.arguments = ["-c", configuration, "-v"]
    }

    /// Returns when it listens.
    func start() async throws {
        let log = Pipe()
        process.standardError = log
        let (pieces, continuation) = AsyncStream.makeStream(of: String.self)
        log.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            // Read on to the end, or mosquitto would wait for us.
            if data.isEmpty {
                handle.readabilityHandler = nil
                continuation.finish()
            } else {
                continuation.yield(String(decoding: data, as: UTF8.self))
            }
        }
        try process.run()
        var text = ""
        for await piece in pieces {
            text += piece
            if text.contains(" running\n") { return }
        }
        throw MQTTXError(.connectionFailed, "mosquitto does not start: \(text)")
    }

    var target: DialTarget {
        get throws {
            var target = DialTarget(endpoint: .tcp(host: "localhost", port: port))
            if kind == "unix" { target.endpoint = .unix(path: "\(directory)/socket") }
            if isSecure { target.tls = TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem")) }
            if kind == "mutual tls" {
                target.tls?.certFile = TestCertificates.path("client.pem")
                target.tls?.keyFile = TestCertificates.path("client.key")
            }
            if kind.hasPrefix("ws") { target.webSocket = WebSocketSettings() }
            return target
        }
    }

    func stop() async {
        if process.isRunning {
            await withCheckedContinuation { continuation in
                process.terminationHandler = { _ in continuation.resume() }
                // Not SIGTERM, which a child may inherit blocked.
                kill(process.processIdentifier, SIGKILL)
            }
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private var isSecure: Bool { kind.hasSuffix("tls") || kind == "wss" }

    private var lines: [String] {
        var lines = ["allow_anonymous true", "user root"]
        lines.append(kind == "unix" ? "listener 0 \(directory)/socket" : "listener \(port) 127.0.0.1")
        if kind.hasPrefix("ws") { lines.append("protocol websockets") }
        if isSecure {
            lines.append("certfile \(TestCertificates.path("server.pem"))")
            lines.append("keyfile \(TestCertificates.path("server.key"))")
        }
        if kind == "mutual tls" {
            lines.append("cafile \(TestCertificates.path("ca.pem"))")
            lines.append("require_certificate true")
        }
        return lines
    }
}
