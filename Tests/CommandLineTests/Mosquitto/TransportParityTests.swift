import Foundation
import MQTTNetwork
import MQTTXBroker
import TestSupport
import Testing

@Suite(
    "The clients of mosquitto and ours reach a broker by the same options", .enabled(if: MosquittoClients.areWanted),
    .timeLimit(.minutes(3)))
struct TransportParityTests {
    @Test("TLS: authorities, client certificates, versions, ciphers, ALPN, and what they refuse")
    func tls() async throws {
        try await withCertificates { files in
            let rehash = try await Tool.run(
                ["rehash", try Self.directory(of: files.file("ca.pem"), in: files)],
                program: Checkout.tool("openssl"))
            #expect(rehash.status == 0)
            let ca = ["--cafile", files.file("ca.pem")]
            let client = ["--cert", files.file("client.pem"), "--key", files.file("client.key")]
            let lines: [[String]] = [
                ca, ["--capath", files.file("authorities")], ca + client, ca + ["--tls-version", "tlsv1.2"],
                ca + ["--tls-version", "tlsv1.3"],
                ca + ["--tls-version", "tlsv1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"],
                ca + ["--tls-alpn", "mqtt"], ca + ["--keyform", "pem"] + client,
                ["--cafile", files.file("stranger.pem")], ["--cafile", files.file("missing.pem")],
                ["--tls-use-os-certs"], ["--capath", files.file("nowhere")], ca + ["--cert", files.file("client.pem")],
                ca + ["--cert", files.file("client.pem"), "--key", files.file("server.key")], [],
            ]
            let server = TLSServerConfig(
                certFile: files.file("server.pem"), keyFile: files.file("server.key"), caFile: files.file("ca.pem"),
                requireClientCertificate: false)
            try await withBroker(BrokerConfig(listeners: [.tls(server)])) { broker in
                for line in lines {
                    let pair = try await MosquittoClients.publish { _ in
                        ["-h", "localhost", "-p", "\(broker.port)", "-t", "a", "-m", "x", "-q", "1"] + line
                    }
                    pair.expectAlike(line)
                    if pair.ours.status != 0 { #expect(pair.ours.errors.filter(\.isNewline).count == 1) }
                }
            }
        }
    }

    private static func directory(of certificate: String, in files: URL) throws -> String {
        let directory = files.appending(path: "authorities")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: certificate, toPath: directory.file("ca.pem"))
        return directory.path
    }

    @Test("A certificate for another host is refused, and taken with --insecure")
    func insecure() async throws {
        try await withCertificates { files in
            let server = TLSServerConfig(
                certFile: files.file("elsewhere.pem"), keyFile: files.file("elsewhere.key"), caFile: nil,
                requireClientCertificate: false)
            try await withBroker(BrokerConfig(listeners: [.tls(server)])) { broker in
                let common = ["-h", "localhost", "-p", "\(broker.port)", "-t", "a", "-m", "x", "-q", "1"]
                let ca = ["--cafile", files.file("ca.pem")]
                let refused = try await MosquittoClients.publish { _ in common + ca }
                refused.expectAlike(ca)
                #expect(refused.ours.status == 10)
                let taken = try await MosquittoClients.publish { _ in common + ca + ["--insecure"] }
                taken.expectAlike(["--insecure"])
                #expect(taken.ours.status == 0)
                #expect(taken.ours.errors.hasPrefix("warning: "))
            }
        }
    }

    @Test("A Unix socket")
    func unixSocket() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.file("s")
            try await withBroker(BrokerConfig(listeners: [.unix(path)])) { _ in
                let published = try await MosquittoClients.publish { _ in
                    ["--unix", path, "-t", "a", "-m", "x", "-q", "1", "-r"]
                }
                published.expectAlike(["--unix"])
                #expect(published.ours.status == 0)
                let pair = try await MosquittoClients.subscribe(["--unix", path, "-t", "a", "-C", "1"])
                pair.expectAlike(["--unix"])
                #expect(pair.ours.output == "x\n")
            }
        }
    }

    @Test("A wrong password, a refused topic and a broker that is not there fail with both")
    func refusals() async throws {
        var config = BrokerConfig(listeners: [.tcp()])
        config.anonymous = .never
        config.deniedFilters = ["denied"]
        try await withBroker(config) { broker in
            for line in [["-u", "a", "-P", "b"], []] {
                let pair = try await MosquittoClients.publish { _ in broker.arguments + ["-t", "a", "-m", "x"] + line }
                pair.expectAlike(line)
                #expect(pair.ours.status == 40)
            }
        }
        let pair = try await MosquittoClients.publish { _ in ["-p", "1", "-t", "a", "-m", "x"] }
        pair.expectAlike(["-p"])
    }
}
