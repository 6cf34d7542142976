import Foundation
import MQTTCore
import MQTTNetwork
import NIOCore
import Testing

@Suite("Proxies", .timeLimit(.minutes(1)))
struct ProxyTests {
    static let basic = "Basic \(Data("user:secret".utf8).base64EncodedString())"
    static let kinds: [(TestProxy.Kind, String?)] = [
        (.http(authorization: nil), nil), (.http(authorization: basic), "user"),
        (.socks(username: nil, password: ""), nil), (.socks(username: "user", password: "secret"), "user"),
    ]

    private func proxy(_ kind: TestProxy.Kind, port: Int, _ username: String?, _ password: String?) -> Proxy {
        switch kind {
        case .http: .httpConnect(host: "127.0.0.1", port: port, username: username, password: password)
        case .socks: .socks5(host: "127.0.0.1", port: port, username: username, password: password)
        }
    }

    @Test("packets pass through a proxy, in the clear and with TLS and WebSocket", arguments: kinds, [false, true])
    func passes(_ example: (TestProxy.Kind, String?), isSecure: Bool) async throws {
        let (kind, username) = example
        let server = try await TestProxy(kind)
        let target = ListenTarget.loopback(
            tls: isSecure ? TransportTests.serverTLS : nil, webSocket: isSecure ? WebSocketListenSettings() : nil)
        try await TestListener.with(target) { listener in
            let client = try await dial(
                DialTarget(
                    endpoint: listener.endpoint, tls: isSecure ? TransportTests.clientTLS : nil,
                    webSocket: isSecure ? WebSocketSettings() : nil,
                    proxy: proxy(kind, port: server.port, username, username.map { _ in "secret" })))
            let accepted = try #require(await listener.accept())
            client.send(Peer.ping)
            guard case .opened? = await accepted.next(), case .received(.packet(.pingreq))? = await accepted.next()
            else {
                Issue.record("the packet did not come")
                return
            }
            accepted.send(Peer.pong)
            guard case .opened? = await client.next(), case .received(.packet(.pingresp))? = await client.next()
            else {
                Issue.record("the answer did not come")
                return
            }
            client.close()
        }
        try await server.close()
    }

    static let refusals: [(TestProxy.Kind, String?, String)] = [
        (.http(authorization: basic), nil, "it wants a user name and a password (407)"),
        (.http(authorization: basic), "wrong", "it wants a user name and a password (407)"),
        (.socks(username: "user", password: "secret"), nil, "it wants a user name and a password"),
        (.socks(username: "user", password: "secret"), "wrong", "it does not accept the user name or the password"),
    ]

    @Test("a proxy that refuses tells why", arguments: refusals)
    func refuses(_ kind: TestProxy.Kind, _ username: String?, _ words: String) async throws {
        let server = try await TestProxy(kind)
        let error = await failure(
            of: DialTarget(
                endpoint: .tcp(host: "localhost", port: 1),
                proxy: proxy(kind, port: server.port, username, username.map { _ in "secret" })))
        #expect(error?.code == .connectionFailed)
        #expect(error?.message == "the proxy gives no connection to localhost: \(words)")
        try await server.close()
    }

    @Test(
        "a proxy that answers otherwise is quoted",
        arguments: ["502 Bad Gateway", "302 Found", "101 Switching Protocols"])
    func answersOtherwise(_ status: String) async throws {
        let server = try await RawServer { _ in "HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n" }
        let error = await failure(
            of: DialTarget(
                endpoint: .tcp(host: "localhost", port: 1),
                proxy: .httpConnect(host: "127.0.0.1", port: server.port, username: nil, password: nil)))
        #expect(error?.code == .connectionFailed)
        #expect(error?.message == "the proxy gives no connection to localhost: it answered \(status)")
        try await server.close()
    }

    @Test("a target that the proxy can't reach", arguments: kinds)
    func unreachable(_ kind: TestProxy.Kind, _ username: String?) async throws {
        let server = try await TestProxy(kind)
        let error = await failure(
            of: DialTarget(
                endpoint: .tcp(host: "localhost", port: 1),
                proxy: proxy(kind, port: server.port, username, username.map { _ in "secret" })))
        #expect(error?.code == .connectionFailed)
        #expect(error?.message.hasPrefix("the proxy gives no connection to localhost: ") == true, "\(error as Any)")
        try await server.close()
    }

    @Test("a proxy that is no proxy", arguments: [true, false])
    func noProxy(isHTTP: Bool) async throws {
        let server = try await RawServer { _ in "220 mail ready\r\n" }
        let proxy: Proxy =
            isHTTP ? .httpConnect(host: "127.0.0.1", port: server.port) : .socks5(host: "127.0.0.1", port: server.port)
        let error = await failure(of: DialTarget(endpoint: .tcp(host: "localhost", port: 1), proxy: proxy))
        #expect(error?.code == .connectionFailed)
        let protocolName = isHTTP ? "HTTP" : "SOCKS 5"
        #expect(
            error?.message == "the proxy gives no connection to localhost: it does not speak \(protocolName)")
        try await server.close()
    }
}
