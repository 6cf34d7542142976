import Foundation
import MQTTXBroker
import TestSupport
import Testing

@Suite("broker", .timeLimit(.minutes(2)))
struct BrokerCommandTests {
    /// Runs the body beside a broker that has said where it listens.
    private func withBroker(
        _ options: [String], listeners: Int = 1, _ body: ([String]) async throws -> Void
    ) async throws {
        let broker = try RunningTool(["broker"] + options)
        var lines: [String] = []
        for await line in broker.lines {
            lines.append(line)
            if lines.count == listeners { break }
        }
        if lines.count < listeners { Issue.record("it ended: \(await broker.result().errors)") }
        try #require(lines.count == listeners)
        try await body(lines)
        broker.terminate()
        let result = await broker.result()
        #expect(result.status == 0)
        #expect(result.lines.count == listeners)
    }

    private func port(_ line: String) throws -> String {
        try #require(line.firstMatch(of: /:([0-9]+)( tls| ws| wss)?$/).map { String($0.output.1) })
    }

    @Test("One line a listener says where, with several of each kind, and all of them work")
    func listeners() async throws {
        try await withCertificates { files in
            let options = [
                "--port", "0", "--port", "0", "--ws-port", "0", "--tls-port", "0", "--wss-port", "0", "--unix",
                files.file("s"),
                "--cert", files.file("server.pem"), "--key", files.file("server.key"),
            ]
            try await withBroker(options, listeners: 6) { lines in
                let shapes = lines.map { $0.replacing(/:[0-9]+/, with: ":N") }
                #expect(
                    shapes == [
                        "listening on 127.0.0.1:N", "listening on 127.0.0.1:N", "listening on 127.0.0.1:N ws",
                        "listening on 127.0.0.1:N tls", "listening on 127.0.0.1:N wss",
                        "listening on unix:\(files.file("s"))",
                    ])
                let ca = ["--cafile", files.file("ca.pem")]
                for (index, more) in [[], [], ["--ws"], ca, ca + ["--ws"]].enumerated() {
                    let pub = try await Tool.run(
                        ["pub", "-t", "a", "-m", "x", "-q", "1", "-p", try port(lines[index])] + more)
                    #expect(pub.status == 0, "\(lines[index]): \(pub.errors)")
                }
                let unix = try await Tool.run(["pub", "-t", "a", "-m", "x", "-q", "1", "--unix", files.file("s")])
                #expect(unix.status == 0, "\(unix.errors)")
            }
        }
    }

    @Test("IPv6, and several hosts", arguments: [["-h", "::1"], ["--host", "::1", "--host", "127.0.0.1"]])
    func hosts(_ options: [String]) async throws {
        try await withBroker(["--port", "0"] + options, listeners: options.count / 2) { lines in
            let port = try port(lines[0])
            #expect(lines[0] == "listening on [::1]:\(port)")
            let pub = try await Tool.run(["pub", "-h", "::1", "-p", port, "-t", "a", "-m", "x", "-q", "1"])
            #expect(pub.status == 0, "\(pub.errors)")
            let url = try await Tool.run(["pub", "-L", "mqtt://[::1]:\(port)/a", "-m", "x", "-q", "1"])
            #expect(url.status == 0, "\(url.errors)")
        }
    }

    @Test("A client certificate is asked for where --require-client-cert says so")
    func clientCertificates() async throws {
        try await withCertificates { files in
            let options = [
                "--no-tcp", "--tls-port", "0", "--cert", files.file("server.pem"), "--key", files.file("server.key"),
                "--cafile",
                files.file("ca.pem"), "--require-client-cert",
            ]
            try await withBroker(options) { lines in
                let common = [
                    "pub", "-t", "a", "-m", "x", "-q", "1", "-p", try port(lines[0]), "--cafile", files.file("ca.pem"),
                ]
                let without = try await Tool.run(common)
                #expect(without.status == 10, "\(without.errors)")
                let with = try await Tool.run(
                    common + ["--cert", files.file("client.pem"), "--key", files.file("client.key")])
                #expect(with.status == 0, "\(with.errors)")
            }
        }
    }

    @Test("Certificate and key come from a PKCS#12 file, on either side")
    func pkcs12() async throws {
        try await withCertificates { files in
            let options = [
                "--no-tcp", "--tls-port", "0", "--p12", files.file("server.p12"), "--p12-password", "secret",
                "--cafile", files.file("ca.pem"), "--require-client-cert",
            ]
            try await withBroker(options) { lines in
                let common = [
                    "pub", "-t", "a", "-m", "x", "-q", "1", "-p", try port(lines[0]), "--cafile", files.file("ca.pem"),
                    "--p12", files.file("client.p12"),
                ]
                let given = try await Tool.run(common + ["--p12-password", "secret"])
                #expect(given.status == 0, "\(given.errors)")
                let hidden = try await Tool.run(common, environment: ["MQTTXX_P12_PASSWORD": "secret"])
                #expect(hidden.status == 0, "\(hidden.errors)")
                let wrong = try await Tool.run(common + ["--p12-password", "wrong"])
                #expect(wrong.status == 10 && wrong.errors.contains("client.p12"), "\(wrong.errors)")
            }
        }
    }

    @Test("Who may come in and what they may do: password file, ACL file, --no-anonymous")
    func access() async throws {
        try await withTemporaryDirectory { directory in
            let passwords = directory.file("passwords")
            _ = try directory.write("passwords", "")
            let made = try await Tool.run(
                ["-b", passwords, "me", "secret"], program: try Checkout.tool("mosquitto_passwd"))
            #expect(made.status == 0, "\(made.errors)")
            let rules = try directory.write("rules", "user me\ntopic readwrite mine/#\n")
            try await withBroker(
                ["--port", "0", "--password-file", passwords, "--acl-file", rules, "--no-anonymous"]
            ) { lines in
                let common = ["pub", "-m", "x", "-q", "1", "-p", try port(lines[0])]
                for (more, status) in [
                    (["-t", "mine/a", "-u", "me", "-P", "secret"], 0),
                    (["-t", "mine/a", "-u", "me", "-P", "wrong"], 40),
                    (["-t", "mine/a"], 40), (["-t", "other", "-u", "me", "-P", "secret"], 40),
                ] as [([String], Int32)] {
                    let pub = try await Tool.run(common + more)
                    #expect(pub.status == status, "\(more): \(pub.errors)")
                }
            }
        }
    }

    /// A limit, what is done against it, and how that ends.
    struct Limit: Sendable {
        let options: [String]
        let command: [String]
        let status: Int32
        var error = ""
    }

    @Test(
        "Every limit can be set, and holds",
        arguments: [
            Limit(
                options: ["--max-packet-size", "1000"], command: ["pub", "-t", "a", "-m", long(2_000)], status: 20,
                error: "PACKET_TOO_LARGE"),
            Limit(
                options: ["--max-payload", "1000"], command: ["pub", "-t", "a", "-q", "1", "-m", long(2_000)],
                status: 10),
            Limit(
                options: ["--max-payload", "1000"], command: ["pub", "-t", "a", "-q", "1", "-m", long(1_000)], status: 0
            ),
            Limit(options: ["--max-qos", "1"], command: ["pub", "-t", "a", "-m", "x", "-q", "2"], status: 10),
            Limit(
                options: ["--max-qos", "1"], command: ["pub", "-t", "a", "-m", "x", "-q", "2", "-V", "311"], status: 10),
            Limit(options: ["--max-qos", "1"], command: ["pub", "-t", "a", "-m", "x", "-q", "1"], status: 0),
            Limit(options: ["--no-retain"], command: ["pub", "-t", "a", "-m", "x", "-r", "-q", "1"], status: 10),
            Limit(options: ["--no-wildcards"], command: ["sub", "-t", "a/#", "-E"], status: 10),
            Limit(options: ["--no-shared"], command: ["sub", "-t", "$share/g/a", "-E"], status: 10),
            Limit(options: ["--deny-subscribe", "a/b"], command: ["sub", "-t", "a/b", "-E"], status: 10),
            Limit(options: ["--deny-subscribe", "a/b"], command: ["sub", "-t", "a/#", "-E"], status: 0),
            Limit(
                options: ["--max-client-id-length", "3"], command: ["pub", "-t", "a", "-m", "x", "-i", "four"],
                status: 10),
            Limit(
                options: ["--max-will-bytes", "1000"],
                command: ["pub", "-t", "a", "-m", "x", "--will-topic", "w", "--will-payload", long(1000)], status: 10),
            Limit(options: ["--max-subscriptions", "1"], command: ["sub", "-t", "a", "-E"], status: 0),
            Limit(
                options: [
                    "--max-inflight", "5", "--max-queued", "5", "--max-queued-bytes", "5000", "--receive-maximum", "20",
                    "--topic-alias-maximum", "10", "--session-expiry-limit", "10", "--max-keepalive", "10",
                    "--max-sessions", "10",
                    "--max-retained", "10", "--max-retained-bytes", "1000", "--max-partial-bytes", "1000",
                    "--connect-timeout", "5", "--stall-timeout",
                    "2",
                    "--response-information", "r", "--sys-interval", "0", "--threads", "1", "--drop-oldest",
                ], command: ["bench", "pub", "-t", "a", "-q", "1", "-C", "100"], status: 0),
        ])
    func limits(_ limit: Limit) async throws {
        try await withBroker(["--port", "0"] + limit.options) { lines in
            let result = try await Tool.run(limit.command + ["-p", try port(lines[0])])
            #expect(result.status == limit.status, "\(limit.options): \(result.errors)")
            #expect(limit.error.isEmpty || result.errors.contains(limit.error))
        }
    }

    private static func long(_ count: Int) -> String { String(repeating: "x", count: count) }

    @Test("--max-connections turns away one more, and takes one again when one has gone")
    func connections() async throws {
        try await withBroker(["--port", "0", "--max-connections", "1"]) { lines in
            let port = try port(lines[0])
            let sub = try RunningTool(["sub", "-t", "a", "-t", "$SYS/broker/version", "-v", "-p", port])
            #expect(await sub.nextLine() != nil)
            for version in ["5", "311"] {
                let refused = try await Tool.run(["pub", "-t", "a", "-m", "x", "-p", port, "-V", version])
                #expect(refused.status == 10)
                #expect(refused.errors.hasPrefix("error: [CONNECTION_FAILED] the broker refused"), "\(refused.errors)")
            }
            sub.interrupt()
            #expect(await sub.status() == 130)
            let taken = try await Tool.run(["pub", "-t", "a", "-m", "x", "-q", "1", "-p", port])
            #expect(taken.status == 0, "\(taken.errors)")
        }
    }

    @Test("A broker that has run out of file descriptors accepts again once there are some")
    func fileDescriptors() async throws {
        let broker = try RunningTool(
            ["-c", "ulimit -n 64 && exec \"$0\" broker --port 0 --threads 2", Tool.path], program: "/bin/sh")
        let port = try port(try #require(await broker.nextLine()))
        // More than it can accept: the others wait in the listener's backlog.
        let connections = try (0..<200).map { _ in try Loopback.connect(port) }
        // Meanwhile it costs next to nothing; as it turned without end, a second took a second.
        let before = try broker.processorTime()
        try await Task.sleep(for: .seconds(1))
        #expect(try broker.processorTime() - before < .milliseconds(500))
        for connection in connections { close(connection) }
        let taken = try await Tool.run(["pub", "-t", "a", "-m", "x", "-q", "1", "-p", port])
        #expect(taken.status == 0, "\(taken.errors)")
        broker.terminate()
        #expect(await broker.status() == 0)
    }

    @Test("A file holds the same options in YAML; the command line takes their place")
    func configFile() async throws {
        try await withTemporaryDirectory { directory in
            let text =
                "port: [0, 0]\nws_port: 0\nno-retain: true\nno-shared: false\nmax-qos: 1\ndeny-subscribe: ['a/#', b]\n"
            let path = try directory.write("broker.yaml", text)
            try await withBroker(["--config", path], listeners: 3) { lines in
                #expect(lines[2].hasSuffix(" ws"))
                let port = try port(lines[1])
                for (command, status) in [
                    (["pub", "-t", "a", "-m", "x", "-q", "2"], 10),
                    (["pub", "-t", "a", "-m", "x", "-q", "1", "-r"], 10),
                    (["sub", "-t", "a/#", "-E"], 10), (["sub", "-t", "b", "-E"], 10), (["sub", "-t", "c", "-E"], 0),
                ] as [([String], Int32)] {
                    let result = try await Tool.run(command + ["-p", port])
                    #expect(result.status == status, "\(command): \(result.errors)")
                }
            }
            try await withBroker(["--config=\(path)", "-p", "0", "--max-qos", "2", "--ws-port=0"], listeners: 2) {
                lines in
                let pub = try await Tool.run(["pub", "-t", "a", "-m", "x", "-q", "2", "-p", try port(lines[0])])
                #expect(pub.status == 0, "\(pub.errors)")
            }
        }
    }

    @Test("Options come from a pipe as well")
    func configPipe() async throws {
        let broker = try RunningTool(["broker", "--config", "/dev/stdin"])
        broker.write(Array("port: 0\n".utf8))
        broker.closeInput()
        #expect(await broker.nextLine()?.hasPrefix("listening on 127.0.0.1:") == true)
        broker.terminate()
        #expect(await broker.status() == 0)
    }

    @Test(
        "A file with options that is none, or knows others, is one line and exit code 64",
        arguments: [
            ("nonsense: 1", "nonsense"), ("port: x", "port"), ("port: {a: 1}", "port"), ("- port", "names"),
            ("port: [", "YAML"),
            ("config: x", "config"), ("port:", "port"), ("max-qos: 7", "max-qos"), ("\"-p\": 0", "-p"),
            ("a=b: 1", "a=b"),
        ])
    func badConfigFile(_ text: String, _ name: String) async throws {
        try await withTemporaryDirectory { directory in
            let path = try directory.write("broker.yaml", text)
            let ending = try #require(Tool.ending(["broker", "--config", path]))
            #expect(ending.status == 64)
            #expect(ending.text.contains(name), "\(ending.text)")
            #expect(ending.text.split(whereSeparator: \.isNewline).count == 1)
        }
        #expect(Tool.ending(["broker", "--config", "/no/such"])?.status == 64)
        #expect(Tool.ending(["broker", "--config"])?.status == 64)
    }

    @Test("A port that is taken, and files that are not what they should be, are one line")
    func badStart() async throws {
        try await withTemporaryDirectory { directory in
            let nonsense = try directory.write("nonsense", "no such thing\n")
            try await CommandLineTests.withBroker { broker in
                for (options, status, word) in [
                    (["--port", "\(broker.port)"], 10, "\(broker.port)"),
                    (["--host", "nowhere.invalid"], 10, "nowhere.invalid"),
                    (["--port", "0", "--password-file", nonsense], 64, nonsense),
                    (["--port", "0", "--acl-file", nonsense], 64, nonsense),
                    (["--port", "0", "--password-file", "/no/such"], 64, "/no/such"),
                    (["--port", "0", "--acl-file", "/no/such"], 64, "/no/such"),
                    (["--tls-port", "0", "--no-tcp", "--cert", nonsense, "--key", nonsense], 10, nonsense),
                    (["--tls-port", "0", "--no-tcp", "--cert", "/no/such", "--key", nonsense], 10, "/no/such"),
                    (["--port", "0", "--unix", "/no/such/directory/s"], 10, "/no/such/directory/s"),
                ] as [([String], Int32, String)] {
                    let result = try await Tool.run(["broker"] + options)
                    #expect(result.status != 0, "\(options)")
                    #expect(result.status == status, "\(options): \(result.status) \(result.errors)")
                    #expect(
                        result.errors.hasPrefix("error: [") && result.errors.contains(word),
                        "\(options): \(result.errors)")
                    #expect(result.errors.filter(\.isNewline).count == 1)
                    #expect(result.output.isEmpty, "\(options): \(result.output)")
                }
            }
        }
    }

    @Test("A listener that the network reaches takes no stranger, unless it is told to")
    func anonymous() async throws {
        for (options, status) in [([], 40), (["--allow-anonymous"], 0)] as [([String], Int32)] {
            try await withBroker(["--host", "0.0.0.0", "--port", "0"] + options) { lines in
                #expect(lines[0].hasPrefix("listening on 0.0.0.0:"))
                let pub = try await Tool.run(["pub", "-t", "a", "-m", "x", "-q", "1", "-p", try port(lines[0])])
                #expect(pub.status == status, "\(pub.errors)")
            }
        }
    }
}
