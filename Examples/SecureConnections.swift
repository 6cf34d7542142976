import Foundation
import MQTTX
import MQTTXBroker

/// TLS, and TLS with client certificates, on a broker of its own: the one that was named knows nothing of the
/// certificates made here.
enum SecureConnections: Example {
    static let name = "tls"
    static let summary = "TLS and mTLS with certificates made on the spot; what is refused, and how that is told"

    static func run(_: BrokerAddress) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "mqttx-example-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try makeCertificates(in: folder)
        func file(_ name: String) -> String { folder.appending(path: name).path }

        let secured = TLSServerConfig(certFile: file("server.pem"), keyFile: file("server.key"))
        var mutual = secured
        mutual.caFile = file("ca.pem")
        mutual.requireClientCertificate = true
        let broker = try await Broker.start(BrokerConfig(listeners: [.tls(secured), .tls(mutual)]))
        let ports = broker.ports.compactMap { $0 }

        // TLS: we know the broker by its certificate.
        var tls = TLSConfig(enabled: true, caCerts: file("ca.pem"))
        try await connect(ports[0], tls, "TLS")

        // mTLS: the broker knows us by ours as well.
        tls.certFile = file("client.pem")
        tls.keyFile = file("client.key")
        try await connect(ports[1], tls, "mTLS")

        // Nothing falls back to less than was asked for.
        try await expectRefusal(ports[0], TLSConfig(enabled: true), "an authority that the system does not know")
        tls.certFile = nil
        tls.keyFile = nil
        try await expectRefusal(ports[1], tls, "no client certificate")
        tls.caCerts = file("nowhere.pem")
        try await expectRefusal(ports[0], tls, "a file that is not there")
        try await broker.stop()
    }

    private static func connect(_ port: Int, _ tls: TLSConfig, _ what: String) async throws {
        let config = MQTTConfig(brokerHost: "localhost", brokerPort: port, tls: tls)
        try await MQTTClient.withConnection(config) { client in
            try await client.publish("secure/topic", "encrypted message", qos: .atLeastOnce)
            print("published over \(what)")
        }
    }

    private static func expectRefusal(_ port: Int, _ tls: TLSConfig, _ what: String) async throws {
        do {
            try await connect(port, tls, what)
        } catch ErrorCode.tlsFailed {
            print("refused: \(what)")
            return
        }
        throw NotShown(description: "expected: no connection with \(what)")
    }

    /// An authority, and one certificate each for the broker and for a client.
    private static func makeCertificates(in folder: URL) throws {
        try openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Example-CA -keyout ca.key -out ca.pem", in: folder)
        for name in ["server", "client"] {
            try openssl(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=\(name) -keyout \(name).key -out \(name).pem"
                    + " -CA ca.pem -CAkey ca.key -addext subjectAltName=DNS:localhost"
                    + " -addext basicConstraints=critical,CA:FALSE",
                in: folder)
        }
    }

    private static func openssl(_ arguments: String, in folder: URL) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = folder
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try expect(process.terminationStatus == 0, "openssl makes a certificate")
    }
}
