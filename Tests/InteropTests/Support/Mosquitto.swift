import Foundation
import Synchronization
import TestSupport

/// A mosquitto of our own, on free ports, with its files in a temporary directory. It ends with the scope.
final class Mosquitto: Sendable {
    struct Options {
        var links: [Link] = [.tcp]
        /// User names and passwords; anonymous clients are refused if there are any.
        var users: [String: String] = [:]
        /// Whether anonymous clients are let in nevertheless.
        var allowsAnonymous: Bool?
        /// The lines of an ACL file.
        var access: [String] = []
        /// The one among the test certificates that it presents.
        var serverCertificate = "server"
        /// Further lines of the configuration.
        var configuration: [String] = []
    }

    let place: BrokerPlace
    private let directory: URL
    private let running = Mutex<ServerProcess?>(nil)

    func port(_ link: Link = .tcp) -> Int { place.port(link) }

    private init(directory: URL, ports: [Link: Int]) {
        self.directory = directory
        self.place = BrokerPlace(ports: ports, socketPath: directory.appending(path: "socket").path)
    }

    static func run<Result>(
        _ options: Options = Options(), _ body: (Mosquitto) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryDirectory { directory in
            let mosquitto = try await start(options, in: directory)
            do {
                let result = try await body(mosquitto)
                await mosquitto.kill()
                return result
            } catch {
                await mosquitto.kill()
                throw error
            }
        }
    }

    private static func start(_ options: Options, in directory: URL) async throws -> Mosquitto {
        // Another process may take a port between the look and the start.
        for _ in 0..<4 {
            let mosquitto = try await configured(options, in: directory)
            do {
                try await mosquitto.start()
                return mosquitto
            } catch let failure as ChildProcess.Failure where failure.description.contains("Address already in use") {
                continue
            }
        }
        throw ChildProcess.Failure("mosquitto found no free port in four attempts")
    }

    private static func configured(_ options: Options, in directory: URL) async throws -> Mosquitto {
        var ports: [Link: Int] = [:]
        for link in options.links where link != .unix { ports[link] = try freePort() }
        var lines = [
            // As root it would otherwise become somebody who can't read these files.
            "user root", "log_dest stderr", "log_type all", "connection_messages true",
            "persistence true", "persistence_location \(directory.path)/",
            "allow_anonymous \(options.allowsAnonymous ?? options.users.isEmpty)",
        ]
        if !options.users.isEmpty {
            let file = directory.appending(path: "passwords").path
            _ = FileManager.default.createFile(atPath: file, contents: Data())
            for (name, password) in options.users {
                try await ChildProcess.run(try Checkout.tool("mosquitto_passwd"), ["-b", file, name, password])
            }
            lines.append("password_file \(file)")
        }
        if !options.access.isEmpty {
            let file = directory.appending(path: "access")
            try Data((options.access.joined(separator: "\n") + "\n").utf8).write(to: file)
            lines.append("acl_file \(file.path)")
        }
        lines += options.configuration
        for link in options.links {
            lines.append(contentsOf: Self.lines(for: link, port: ports[link], in: directory, options))
        }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: directory.appending(path: "mosquitto.conf"))
        return Mosquitto(directory: directory, ports: ports)
    }

    /// Starts it, again after ``kill()``: on the same ports, with what it had saved.
    func start() async throws {
        let process = try await ServerProcess.start(
            [try Checkout.tool("mosquitto"), "-c", "mosquitto.conf"], in: directory
        ) { line in
            if line.contains("Error: ") { throw ChildProcess.Failure(line) }
            return line.hasSuffix(" running")
        }
        running.withLock { $0 = process }
    }

    /// What it logged last.
    var log: String { running.withLock { $0?.log } ?? "" }

    /// Kills it, without giving it time to say or save anything.
    func kill() async {
        let process = running.withLock { $0.take() }
        await process?.kill()
    }

    /// Ends it in order: it saves its sessions and retained messages.
    func terminate() async throws {
        let process = running.withLock { $0.take() }
        try await process?.terminate()
    }
}

extension Mosquitto {
    private static func lines(for link: Link, port: Int?, in directory: URL, _ options: Options) -> [String] {
        let first = "listener \(port ?? 0) \(link == .unix ? directory.appending(path: "socket").path : "127.0.0.1")"
        let tls = [
            "cafile \(TestCertificates.path("ca.pem"))",
            "certfile \(TestCertificates.path("\(options.serverCertificate).pem"))",
            "keyfile \(TestCertificates.path("\(options.serverCertificate).key"))",
        ]
        return switch link {
        case .tcp, .unix: [first]
        case .tls: [first] + tls
        case .mutualTLS: [first] + tls + ["require_certificate true"]
        case .webSocket: [first, "protocol websockets"]
        case .secureWebSocket: [first, "protocol websockets"] + tls
        }
    }
}
