import Foundation
import MQTTNetwork
import NIOCore
import NIOPosix
import Testing

/// A proxy for HTTP CONNECT and SOCKS 5 in as few lines as will do; it believes what it is sent.
struct TestProxy {
    enum Kind: Sendable {
        case http(authorization: String?)
        case socks(username: String?, password: String)
    }

    private let channel: any Channel
    let port: Int

    init(_ kind: Kind) async throws {
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Front(kind))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = try #require(channel.localAddress?.port)
    }

    func close() async throws { try await channel.close() }

    /// The side of the client: first the proxy's own protocol, then whatever comes.
    private final class Front: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer

        private let kind: Kind
        private var received = ByteBuffer()
        private var stage = 0
        private var target: (any Channel)?

        init(_ kind: Kind) { self.kind = kind }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if let target {
                target.writeAndFlush(unwrapInboundIn(data), promise: nil)
                return
            }
            var bytes = unwrapInboundIn(data)
            received.writeBuffer(&bytes)
            switch kind {
            case .http(let authorization): http(authorization, context)
            case .socks(let username, let password): socks(username, password, context)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { target?.close(promise: nil) }

        private func http(_ authorization: String?, _ context: ChannelHandlerContext) {
            let request = String(buffer: received)
            guard request.hasSuffix("\r\n\r\n") else { return }
            if let authorization, !request.contains("\r\nProxy-Authorization: \(authorization)\r\n") {
                return send(
                    Array("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n".utf8), context)
            }
            let parts = request.split(separator: " ")
            guard parts.count > 2, parts[0] == "CONNECT", let colon = parts[1].lastIndex(of: ":"),
                let port = Int(parts[1][parts[1].index(after: colon)...])
            else { return send(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), context) }
            connect(
                String(parts[1][..<colon]), port, success: Array("HTTP/1.1 200 OK\r\n\r\n".utf8),
                failure: Array("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".utf8), context)
        }

        private func socks(_ username: String?, _ password: String, _ context: ChannelHandlerContext) {
            let bytes = Array(buffer: received)
            received.clear()
            switch stage {
            case 0:
                let method: UInt8 = username == nil ? 0 : 2
                let isOffered = bytes.dropFirst(2).contains(method)
                stage = username == nil ? 2 : 1
                send([5, isOffered ? method : 0xFF], context)
            case 1:
                let username = Array((username ?? "").utf8)
                let wanted = [1, UInt8(username.count)] + username + [UInt8(password.utf8.count)] + password.utf8
                stage = 2
                send([1, bytes == wanted ? 0 : 1], context)
            default:
                guard bytes.count > 5, bytes[3] == 3 else { return send([5, 8, 0, 1, 0, 0, 0, 0, 0, 0], context) }
                let end = 5 + Int(bytes[4])
                let port = Int(bytes[end]) << 8 | Int(bytes[end + 1])
                connect(
                    String(decoding: bytes[5..<end], as: UTF8.self), port,
                    success: [5, 0, 0, 3, 2, 0x61, 0x62, 0, 80], failure: [5, 5, 0, 1, 0, 0, 0, 0, 0, 0], context)
            }
        }

        private func connect(
            _ host: String, _ port: Int, success: [UInt8], failure: [UInt8], _ context: ChannelHandlerContext
        ) {
            let front = context.channel
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Back(front))
                    }
                }
                .connect(host: host, port: port)
                .whenComplete { result in
                    self.target = try? result.get()
                    let answer = self.target == nil ? failure : success
                    // In two parts: an answer may be cut anywhere.
                    front.writeAndFlush(ByteBuffer(bytes: answer.prefix(3)), promise: nil)
                    front.writeAndFlush(ByteBuffer(bytes: answer.dropFirst(3)), promise: nil)
                }
        }

        private func send(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
            context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
        }
    }

    /// The side of the target.
    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let front: any Channel

        init(_ front: any Channel) { self.front = front }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            front.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { front.close(promise: nil) }
    }
}
