import Foundation
import Synchronization
import TestSupport

/// `mqttxx broker` as a process of its own, with a listener for every link.
enum CommandBroker {
    /// - Parameter options: further words for the command line.
    static func run<Result>(
        _ options: [String] = [], _ body: (BrokerPlace) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryDirectory { directory in
            let socketPath = directory.appending(path: "socket").path
            let ports = Mutex<[Link: Int]>([:])
            let process = try await ServerProcess.start(
                [
                    Checkout.products.appending(path: "mqttxx").path, "broker", "--port", "0", "--tls-port", "0",
                    "--ws-port", "0", "--ws-path", "/mqtt", "--wss-port", "0", "--unix", socketPath,
                    "--cert", TestCertificates.path("server.pem"), "--key", TestCertificates.path("server.key"),
                    "--cafile", TestCertificates.path("ca.pem"),
                ] + options,
                in: directory
            ) { line in
                if line.hasPrefix("error: ") { throw ChildProcess.Failure(line) }
                guard !line.hasSuffix(socketPath) else { return true }
                ports.withLock { $0.merge(link(in: line)) { $1 } }
                return false
            }
            let place = BrokerPlace(ports: ports.withLock { $0 }, socketPath: socketPath)
            do {
                let result = try await body(place)
                try await process.terminate()
                return result
            } catch {
                await process.kill()
                throw error
            }
        }
    }

    /// `listening on 127.0.0.1:40123 tls`. A client may bring a certificate there, and may come without.
    private static func link(in line: String) -> [Link: Int] {
        let words = line.split(separator: " ")
        guard line.hasPrefix("listening on "), let port = words[2].split(separator: ":").last.flatMap({ Int($0) })
        else { return [:] }
        return switch words.dropFirst(3).first {
        case "tls": [.tls: port, .mutualTLS: port]
        case "ws": [.webSocket: port]
        case "wss": [.secureWebSocket: port]
        default: [.tcp: port]
        }
    }
}
