import MQTTCore
import MQTTNetwork
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@Suite("Failures of dialling", .timeLimit(.minutes(1)))
struct DialFailureTests {
    private func silentListener() async throws -> any Channel {
        try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
    }

    private func port(_ channel: any Channel) throws -> Int { try #require(channel.localAddress?.port) }

    @Test("a refused connection names the address and the reason")
    func refused() async throws {
        let channel = try await silentListener()
        let port = try port(channel)
        try await channel.close()
        let error = try #require(await failure(of: DialTarget(endpoint: .tcp(host: "127.0.0.1", port: port))))
        #expect(error.code == .connectionFailed)
        #expect(error.message == "cannot connect to 127.0.0.1:\(port): connection refused")
        #expect(error.cause != nil)
    }

    @Test("an unknown name is said to be unknown")
    func unknownName() async throws {
        let error = try #require(
            await failure(of: DialTarget(endpoint: .tcp(host: "no-such-host.invalid", port: 1883))))
        #expect(error.code == .connectionFailed)
        #expect(
            error.message
                == "cannot connect to no-such-host.invalid:1883: the name no-such-host.invalid is not known")
    }

    @Test("a Unix socket that is not there and a port that can't be")
    func nonsense() async throws {
        let missing = try #require(await failure(of: DialTarget(endpoint: .unix(path: "/tmp/no-such.sock"))))
        #expect(missing.message == "cannot connect to unix:/tmp/no-such.sock: no such file")
        let tooLong = await failure(of: DialTarget(endpoint: .unix(path: String(repeating: "x", count: 300))))
        #expect(tooLong?.code == .connectionFailed)
        for port in [-1, 0, 65_536, .max] {
            let error = await failure(of: DialTarget(endpoint: .tcp(host: "localhost", port: port)))
            #expect(error?.message == "cannot connect to localhost:\(port): no port has the number \(port)")
        }
    }

    @Test("the deadline covers every handshake, and closes what was opened", arguments: ["tls", "ws", "http", "socks"])
    func deadline(kind: String) async throws {
        let accepted = Mutex<[any Channel]>([])
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                accepted.withLock { $0.append(channel) }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try port(server)
        var target = DialTarget(endpoint: .tcp(host: "127.0.0.1", port: port), connectTimeout: .seconds(2))
        switch kind {
        case "tls": target.tls = TLSConfig(enabled: true, caCerts: TestCertificates.path("ca.pem"))
        case "ws": target.webSocket = WebSocketSettings()
        case "http": target.proxy = .httpConnect(host: "127.0.0.1", port: port)
        default: target.proxy = .socks5(host: "127.0.0.1", port: port)
        }
        let error = try #require(await failure(of: target))
        #expect(error.code == .connectionTimeout)
        #expect(error.message.contains(["tls": "TLS", "ws": "WebSocket"][kind] ?? "from the proxy"), "\(error)")
        for channel in accepted.withLock({ $0 }) { try await channel.closeFuture.get() }
        try await server.close()
    }

    @Test("an attempt that is given up ends at once and closes what it opened")
    func cancelled() async throws {
        let (accepted, continuation) = AsyncStream.makeStream(of: (any Channel).self)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                continuation.yield(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let target = DialTarget(endpoint: .tcp(host: "127.0.0.1", port: try port(server)), tls: .systemDefault)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                let attempt = Dialer.start(target, on: group.next()) { Peer(.client, $0).makeConnection() }
                await #expect(throws: CancellationError.self) { _ = try await attempt.value() }
            }
            for await channel in accepted {
                tasks.cancelAll()
                try await channel.closeFuture.get()
                break
            }
        }
        try await server.close()
    }

    @Test("an attempt given up before it begins opens nothing")
    func cancelledEarly() async throws {
        let target = DialTarget(endpoint: .tcp(host: "127.0.0.1", port: 9))
        let attempt = Dialer.start(target, on: group.next()) { Peer(.client, $0).makeConnection() }
        attempt.cancel()
        await #expect(throws: (any Error).self) { _ = try await attempt.value() }
    }
}
