import Crypto
import Foundation
import MQTTCore
import MQTTNetwork
import NIOCore
import Testing

@Suite("WebSocket handshakes", .timeLimit(.minutes(1)))
struct WebSocketHandshakeTests {
    private static func request(
        _ method: String = "GET", path: String = "/mqtt", subprotocol: String? = "mqtt", version: String = "13",
        host: String = "Host: localhost\r\n", key: String = "dGhlIHNhbXBsZSBub25jZQ==", more: String = ""
    ) -> ByteBuffer {
        let line = subprotocol.map { "Sec-WebSocket-Protocol: \($0)\r\n" } ?? ""
        return ByteBuffer(
            string: "\(method) \(path) HTTP/1.1\r\n\(host)Upgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: \(version)\r\n"
                + line + more + "\r\n")
    }

    static let requests: [(ByteBuffer, String)] = [
        (request(path: "/other"), "HTTP/1.1 404 Not Found\r\n"),
        (request(subprotocol: nil), "HTTP/1.1 400 Bad Request\r\n"),
        (request(subprotocol: "mqttv3"), "HTTP/1.1 400 Bad Request\r\n"),
        (request("POST"), "HTTP/1.1 405 Method Not Allowed\r\n"),
        (request(host: ""), "HTTP/1.1 400 Bad Request\r\n"),
        (request(key: "c2hvcnQ="), "HTTP/1.1 400 Bad Request\r\n"),
        (request(key: "dGhlIHNhbXBsZSBub25jZ!=="), "HTTP/1.1 400 Bad Request\r\n"),
        (ByteBuffer(string: "GET /mqtt HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 426 Upgrade Required\r\n"),
        (ByteBuffer(string: "\u{10}\u{0}garbage\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n"),
        (request(more: "Cookie: \(String(repeating: "x", count: 100_000))\r\n"), ""),
        (
            request(more: (0..<1_000).map { "x-\($0): y\r\n" }.joined()), ""
        ),
    ]

    @Test("a request that is not for MQTT is refused and the connection closed", arguments: requests)
    func refused(_ request: ByteBuffer, _ status: String) async throws {
        let target = ListenTarget.loopback(webSocket: WebSocketListenSettings(path: "/mqtt"))
        try await TestListener.with(target) { listener in
            let answer = String(buffer: try await exchange(request, with: listener.endpoint))
            #expect(answer.hasPrefix(status), "\(answer)")
            #expect(!answer.contains("101"))
        }
    }

    @Test("a request for another version of WebSocket is told which one is spoken")
    func otherVersion() async throws {
        try await TestListener.with(.loopback(webSocket: WebSocketListenSettings())) { listener in
            let answer = String(buffer: try await exchange(Self.request(version: "8"), with: listener.endpoint))
            #expect(answer.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"))
            #expect(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"))
        }
    }

    @Test("a server that closes its output says so in a frame, and goes on reading")
    func outputClosed() async throws {
        try await TestListener.with(.loopback(webSocket: WebSocketListenSettings())) { listener in
            var bytes = Self.request()
            bytes.writeBytes(WebSocketFrameTests.frame(2, [0xC0, 0x00]))
            async let answer = exchange(bytes, with: listener.endpoint)
            let server = try #require(await listener.accept())
            guard case .opened? = await server.next(), case .received(.packet(.pingreq))? = await server.next() else {
                Issue.record("the packet did not come")
                return
            }
            try await server.channel.close(mode: .output)
            #expect(try await Array(buffer: answer).suffix(4) == [0x88, 0x02, 0x03, 0xE8])
        }
    }

    @Test(
        """
        the subprotocol mqtt is answered, or its older name where that is the only one, and a packet right behind the \
        request is not lost [MQTT-6.0.0-2, -4, MQTT311-6.0.0-2, -4]
        """,
        arguments: [("mqttv3.1, mqtt", "mqtt"), ("mqttv3.1", "mqttv3.1")]
    )
    func accepted(offered: String, answered: String) async throws {
        try await TestListener.with(.loopback(webSocket: WebSocketListenSettings())) { listener in
            var bytes = Self.request(path: "/any?x=1", subprotocol: offered)
            bytes.writeBytes(WebSocketFrameTests.frame(2, [0xC0]) + WebSocketFrameTests.frame(2, [0x00, 0xC0, 0x00]))
            bytes.writeBytes(WebSocketFrameTests.frame(8, [0x03, 0xE8]))
            let answer = String(buffer: try await exchange(bytes, with: listener.endpoint)).lowercased()
            #expect(answer.hasPrefix("http/1.1 101 switching protocols\r\n"))
            #expect(answer.contains("\r\nsec-websocket-protocol: \(answered)\r\n"))
            #expect(answer.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"))
            let server = try #require(await listener.accept())
            guard case .opened? = await server.next(), case .received(.packet(.pingreq))? = await server.next(),
                case .received(.packet(.pingreq))? = await server.next()
            else {
                Issue.record("the packets did not come")
                return
            }
        }
    }

    @Test("a handshake that never comes ends at the deadline", arguments: [true, false])
    func silent(isSecure: Bool) async throws {
        var target = ListenTarget.loopback(
            tls: isSecure ? TransportTests.serverTLS : nil, webSocket: WebSocketListenSettings())
        target.handshakeTimeout = .milliseconds(100)
        try await TestListener.with(target) { listener in
            let answer = try await exchange(ByteBuffer(), with: listener.endpoint)
            #expect(answer.readableBytes == 0)
        }
    }

    @Test("closing a listener ends the handshakes under way")
    func closedUnderWay() async throws {
        let listener = try await TestListener(.loopback(webSocket: WebSocketListenSettings()))
        async let answer = exchange(ByteBuffer(string: "GET /mqtt HTTP/1.1\r\n"), with: listener.endpoint)
        while listener.listener.connectionCount == 0 { await Task.yield() }
        await listener.listener.close()
        let bytes = try await answer
        #expect(bytes.readableBytes == 0)
    }

    static let answers: [(String, String)] = [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "no WebSocket: the server answered 404 Not Found"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "no WebSocket: the server answered 200 OK"),
        ("garbage\r\n\r\n", "no WebSocket: the server does not speak HTTP on this port"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "no WebSocket: the server's answer makes no sense"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: bm90IHRoaXM=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
            "no WebSocket: the server does not prove that it speaks WebSocket (Sec-WebSocket-Accept)"
        ),
    ]

    static let refusals = [
        ("", "the server did not accept the subprotocol mqtt"),
        ("Sec-WebSocket-Protocol: mqttv3.1\r\n", "the server did not accept the subprotocol mqtt"),
        (
            "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
            "the server uses an extension that was not offered"
        ),
    ]

    @Test("an answer that agrees to WebSocket, but not to what was asked for, says so", arguments: refusals)
    func agreesToSomethingElse(_ header: String, _ words: String) async throws {
        let server = try await RawServer { request in
            let key = request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }
            let proof = "\(key?.dropFirst(19) ?? "")258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            let accept = Data(Insecure.SHA1.hash(data: Data(proof.utf8))).base64EncodedString()
            return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(accept)\r\n\(header)\r\n"
        }
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: server.port)
        let error = await failure(of: DialTarget(endpoint: endpoint, webSocket: WebSocketSettings()))
        #expect(error?.message == "cannot connect to 127.0.0.1:\(server.port): no WebSocket: \(words)")
        try await server.close()
    }

    @Test("a server that does not do MQTT over WebSocket is told apart", arguments: answers)
    func badServer(_ answer: String, _ words: String) async throws {
        let server = try await RawServer { _ in answer }
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: server.port)
        let error = await failure(of: DialTarget(endpoint: endpoint, webSocket: WebSocketSettings()))
        #expect(error?.code == .connectionFailed)
        #expect(error?.message == "cannot connect to 127.0.0.1:\(server.port): \(words)")
        try await server.close()
    }

    @Test("the request carries path, host, subprotocol and the user's headers [MQTT-6.0.0-3, MQTT311-6.0.0-3]")
    func requestHeaders() async throws {
        let (requests, continuation) = AsyncStream.makeStream(of: String.self)
        let server = try await RawServer { request in
            continuation.yield(request)
            return "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        }
        let settings = WebSocketSettings(path: "/mqtt?token=1", headers: [.init("Authorization", "Bearer 42")])
        _ = await failure(of: DialTarget(endpoint: .tcp(host: "localhost", port: server.port), webSocket: settings))
        var iterator = requests.makeAsyncIterator()
        let request = try #require(await iterator.next())
        #expect(request.hasPrefix("GET /mqtt?token=1 HTTP/1.1\r\n"))
        for line in ["Host: localhost:\(server.port)", "Sec-WebSocket-Protocol: mqtt", "Authorization: Bearer 42"] {
            #expect(request.contains("\r\n\(line)\r\n"), "\(line)")
        }
        try await server.close()
    }

    @Test("a path or header that would forge the request is refused", arguments: ["mqtt", "/a b", "/a\r\nX: y", "/ä"])
    func forgedRequest(path: String) async throws {
        try await TestListener.with(.loopback(webSocket: WebSocketListenSettings())) { listener in
            let byPath = await failure(
                of: DialTarget(endpoint: listener.endpoint, webSocket: WebSocketSettings(path: path)))
            #expect(byPath?.code == .connectionFailed)
            let header = WebSocketSettings.Header("X-Forged", "a\r\nX: y")
            let byHeader = await failure(
                of: DialTarget(endpoint: listener.endpoint, webSocket: WebSocketSettings(headers: [header])))
            #expect(byHeader?.code == .connectionFailed)
        }
    }
}
