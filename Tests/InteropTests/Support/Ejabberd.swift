import Foundation
import Synchronization
import TestSupport

/// An ejabberd of our own, for its MQTT, on free ports. It takes any user name.
enum Ejabberd {
    static func run<Result>(
        over links: [Link], _ body: (BrokerPlace) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryDirectory { directory in
            let (process, place) = try await start(links, in: directory)
            do {
                let result = try await body(place)
                await process.kill()
                return result
            } catch {
                await process.kill()
                throw error
            }
        }
    }

    private static func start(_ links: [Link], in directory: URL) async throws -> (ServerProcess, BrokerPlace) {
        // Another process may take a port between the look and the start.
        for _ in 0..<4 {
            var place = BrokerPlace(ports: [:], socketPath: directory.appending(path: "socket").path)
            for link in links where link != .unix { place.ports[link] = try freePort() }
            let file = directory.appending(path: "ejabberd.yml")
            try Data(configuration(links, place).utf8).write(to: file)
            do {
                return (try await start(file, in: directory, listeners: links.count), place)
            } catch let failure as ChildProcess.Failure where failure.description.contains("already in use") {
                continue
            }
        }
        throw ChildProcess.Failure("ejabberd found no free port in four attempts")
    }

    /// As `ejabberdctl foreground` does it, but as the user that runs the tests, and as a node without a name, so that
    /// many can run at once.
    private static func start(_ file: URL, in directory: URL, listeners: Int) async throws -> ServerProcess {
        let waiting = Mutex(listeners)
        return try await ServerProcess.start(
            [
                try Checkout.tool("erl"), "-noinput", "+S", "1", "-mnesia", "dir",
                "\"\(directory.appending(path: "mnesia").path)\"", "-s", "ejabberd",
            ],
            in: directory,
            environment: [
                "EJABBERD_CONFIG_PATH": file.path, "ERL_LIBS": try libraries(), "HOME": directory.path,
                "EJABBERD_LOG_PATH": directory.appending(path: "ejabberd.log").path,
                "ERL_CRASH_DUMP_SECONDS": "0",
            ]
        ) { line in
            if line.contains("[critical]") || line.contains("Failed to open socket") {
                throw ChildProcess.Failure(line)
            }
            guard line.contains("Start accepting") else { return false }
            return waiting.withLock { waiting in
                waiting -= 1
                return waiting == 0
            }
        }
    }

    /// Where Debian has it, which depends on the processor.
    private static func libraries() throws -> String {
        for folder in try FileManager.default.contentsOfDirectory(atPath: "/usr/lib") {
            let path = "/usr/lib/\(folder)"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            if names.contains(where: { $0.hasPrefix("ejabberd-") }) { return path }
        }
        throw ChildProcess.Failure("ejabberd is not installed; run scripts/install-peers")
    }

    private static func configuration(_ links: [Link], _ place: BrokerPlace) -> String {
        let listeners = links.map { link in
            let port = link == .unix ? "\"unix:\(place.socketPath)\"" : "\(place.port(link)), ip: \"\(place.host)\""
            let module =
                link.isWebSocket
                ? "ejabberd_http, request_handlers: {/mqtt: mod_mqtt}" : "mod_mqtt, tls_verify: \(link == .mutualTLS)"
            return "  - {port: \(port), module: \(module), tls: \(link.isTLS)}"
        }
        return """
            hosts: [localhost]
            certfiles: [\(TestCertificates.path("server.pem")), \(TestCertificates.path("server.key"))]
            ca_file: \(TestCertificates.path("ca.pem"))
            auth_method: [anonymous]
            anonymous_protocol: both
            allow_multiple_connections: true
            listen:
            \(listeners.joined(separator: "\n"))
            modules:
              mod_mqtt: {}
            """
    }
}
