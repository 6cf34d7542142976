import Foundation
import TestSupport
import Testing

@Suite("mqttxx pub and sub over every transport of mqttxx broker", .timeLimit(.minutes(2)))
struct OurCommandTests {
    /// Retained, so that it does not matter who comes first.
    private func exchange(_ options: [String], _ name: String) async throws {
        let tool = Checkout.products.appending(path: "mqttxx").path
        try await ChildProcess.run(tool, ["pub"] + options + ["-t", "a/\(name)", "-m", "hällo", "-q", "1", "-r"])
        let text = try await ChildProcess.run(
            tool, ["sub"] + options + ["-t", "a/\(name)", "-q", "1", "-C", "1", "-W", "30", "-F", "%t %p %q %r"])
        #expect(text == "a/\(name) hällo 1 1\n")
    }

    private func options(_ link: Link, _ place: BrokerPlace) -> [String] {
        var options = link == .unix ? ["--unix", place.socketPath] : ["-h", place.host, "-p", "\(place.port(link))"]
        if link.isWebSocket { options += ["--ws", "--ws-path", "/mqtt"] }
        if link.isTLS { options += ["--cafile", TestCertificates.path("ca.pem")] }
        if link == .mutualTLS {
            options += ["--cert", TestCertificates.path("client.pem"), "--key", TestCertificates.path("client.key")]
        }
        return options
    }

    @Test("Each transport by its options")
    func links() async throws {
        try await CommandBroker.run { place in
            for link in Link.allCases { try await exchange(options(link, place), link.rawValue) }
        }
    }

    @Test("Each transport by its URL, over IPv6")
    func ipv6() async throws {
        try await CommandBroker.run(["--host", "::1"]) { place in
            for (scheme, link) in [("mqtt", Link.tcp), ("mqtts", .tls), ("ws", .webSocket), ("wss", .secureWebSocket)] {
                let trust = link.isTLS ? ["--cafile", TestCertificates.path("ca.pem")] : []
                try await exchange(["-L", "\(scheme)://[::1]:\(place.port(link))"] + trust, scheme)
            }
        }
    }

    @Test("What can't be trusted ends the command before anything is sent")
    func failsClosed() async throws {
        try await CommandBroker.run(["--require-client-cert"]) { place in
            let tool = Checkout.products.appending(path: "mqttxx").path
            let tls = ["pub", "-h", place.host, "-p", "\(place.port(.tls))", "-t", "a", "-m", "x", "-q", "1"]
            let trust = ["--cafile", TestCertificates.path("ca.pem")]
            for (more, words) in [
                (["--tls"], "unknown"), (["--cafile", TestCertificates.path("stranger.pem")], "unknown"),
                (["--cafile", "/nowhere.pem"], "cannot read /nowhere.pem"), (trust, "demands a certificate"),
            ] {
                let child = try ChildProcess(tool, tls + more)
                child.closeInput()
                #expect(await child.exitStatus() == 10, "\(more)")
                #expect(child.errors.hasPrefix("error: [TLS_FAILED] "), "\(more): \(child.errors)")
                #expect(child.errors.contains(words), "\(more): \(child.errors)")
            }
        }
    }

    @Test("A socket file left behind is taken over, one in use is not")
    func socketFile() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "left").path
            let tool = Checkout.products.appending(path: "mqttxx").path
            func start() async throws -> ServerProcess {
                try await ServerProcess.start([tool, "broker", "--no-tcp", "--unix", path], in: directory) { line in
                    if line.hasPrefix("error: ") { throw ChildProcess.Failure(line) }
                    return line == "listening on unix:\(path)"
                }
            }
            let killed = try await start()
            await killed.kill()
            #expect(FileManager.default.fileExists(atPath: path))
            let running = try await start()
            let refused = await #expect(throws: ChildProcess.Failure.self) { _ = try await start() }
            #expect(refused?.description.contains("somebody listens there already") == true)
            try await exchange(["--unix", path], "socket")
            try await running.terminate()
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }
}
