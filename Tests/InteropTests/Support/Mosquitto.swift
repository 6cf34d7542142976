import Foundation
import Synchronization

/// A mosquitto of our own, on free ports, with its files in a temporary directory. It ends with the scope, and also when
/// the tests die: a shell holds the pipe to us, and kills it when that closes.
final class Mosquitto: Sendable {
    enum Listener: Hashable, CaseIterable {
        case tcp, tls, mutualTLS, webSocket, secureWebSocket, unix
    }

    struct Options {
        var listeners: [Listener] = [.tcp]
        /// User names and passwords; anonymous clients are refused if there are any.
        var users: [String: String] = [:]
        /// The lines of an ACL file.
        var access: [String] = []
        /// Certificates made by `scripts/make-test-certs`.
        var certificates: URL?
        /// The one among them that it presents.
        var serverCertificate = "server"
        /// Further lines of the configuration.
        var configuration: [String] = []
    }

    private let directory: URL
    private let ports: [Listener: Int]
    private let running = Mutex<ChildProcess?>(nil)

    /// Where the Unix socket is, if that listener was asked for.
    var socketPath: String { directory.appending(path: "socket").path }

    func port(_ listener: Listener = .tcp) -> Int { ports[listener] ?? 0 }

    private init(directory: URL, ports: [Listener: Int]) {
        self.directory = directory
        self.ports = ports
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
        var ports: [Listener: Int] = [:]
        for listener in options.listeners where listener != .unix { ports[listener] = try freePort() }
        var lines = [
            // As root it would otherwise become somebody who can't read these files.
            "user root", "log_dest stderr", "log_type all", "connection_messages true",
            "persistence true", "persistence_location \(directory.path)/",
            "allow_anonymous \(options.users.isEmpty)",
        ]
        if !options.users.isEmpty {
            let file = directory.appending(path: "passwords").path
            _ = FileManager.default.createFile(atPath: file, contents: Data())
            for (name, password) in options.users {
                try await ChildProcess.run(try tool("mosquitto_passwd"), ["-b", file, name, password])
            }
            lines.append("password_file \(file)")
        }
        if !options.access.isEmpty {
            let file = directory.appending(path: "access")
            try Data((options.access.joined(separator: "\n") + "\n").utf8).write(to: file)
            lines.append("acl_file \(file.path)")
        }
        lines += options.configuration
        for listener in options.listeners {
            lines.append(contentsOf: listener.lines(port: ports[listener], in: directory, options))
        }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: directory.appending(path: "mosquitto.conf"))
        return Mosquitto(directory: directory, ports: ports)
    }

    private static func tool(_ name: String) throws -> String {
        guard let path = Checkout.executable(name) else {
            throw ChildProcess.Failure("\(name) is not installed; run scripts/install-peers")
        }
        return path
    }

    /// Starts it, again after ``kill()``: on the same ports, with what it had saved.
    func start() async throws {
        let ready = Once<Void>()
        let shell = try ChildProcess(
            "/bin/sh", ["-c", Self.guardScript, "sh", try Self.tool("mosquitto"), "mosquitto.conf", directory.path]
        ) { line in
            guard let line else {
                return ready.set(.failure(ChildProcess.Failure("mosquitto ended before it was ready")))
            }
            if line.contains("Error: ") { ready.set(.failure(ChildProcess.Failure(line))) }
            if line.hasSuffix(" running") { ready(()) }
        }
        do {
            try await ready.value
            running.withLock { $0 = shell }
        } catch {
            shell.closeInput()
            await shell.exitStatus()
            throw ChildProcess.Failure("\(error)\n\(shell.tail)")
        }
    }

    private static let guardScript = """
        cd "$3" || exit 1
        "$1" -c "$2" 2>&1 &
        pid=$!
        exec >/dev/null 2>&1
        read -r signal || signal=KILL
        kill -s $signal $pid
        wait $pid
        """

    /// What it logged last.
    var log: String { running.withLock { $0?.tail } ?? "" }

    /// Kills it, without giving it time to say or save anything.
    func kill() async {
        guard let shell = running.withLock({ $0 }) else { return }
        shell.closeInput()
        await shell.exitStatus()
        running.withLock { $0 = nil }
    }

    /// Ends it in order: it saves its sessions and retained messages.
    func terminate() async throws {
        guard let shell = running.withLock({ $0 }) else { return }
        try shell.send("TERM")
        await shell.exitStatus()
        running.withLock { $0 = nil }
    }
}

extension Mosquitto.Listener {
    fileprivate func lines(port: Int?, in directory: URL, _ options: Mosquitto.Options) -> [String] {
        let first = "listener \(port ?? 0) \(self == .unix ? directory.appending(path: "socket").path : "127.0.0.1")"
        let certificates = options.certificates?.path ?? ""
        let name = options.serverCertificate
        let tls = [
            "cafile \(certificates)/ca.pem", "certfile \(certificates)/\(name).pem",
            "keyfile \(certificates)/\(name).key",
        ]
        return switch self {
        case .tcp, .unix: [first]
        case .tls: [first] + tls
        case .mutualTLS: [first] + tls + ["require_certificate true"]
        case .webSocket: [first, "protocol websockets"]
        case .secureWebSocket: [first, "protocol websockets"] + tls
        }
    }
}
