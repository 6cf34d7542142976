import MQTTNetwork
import NIOCore
import NIOPosix
import Testing

/// A server that answers the first bytes it gets with bytes of the test's choice, and tells what it got.
struct RawServer {
    private let channel: any Channel
    let port: Int

    init(answer: @escaping @Sendable (String) -> String) async throws {
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answerer(answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = try #require(channel.localAddress?.port)
    }

    func close() async throws { try await channel.close() }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let answer: @Sendable (String) -> String

        init(answer: @escaping @Sendable (String) -> String) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = answer(String(buffer: unwrapInboundIn(data)))
            context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        }
    }
}

/// Sends bytes, and returns all that comes back until the other side closes.
func exchange(_ bytes: ByteBuffer, with endpoint: Endpoint) async throws -> ByteBuffer {
    guard case .tcp(let host, let port) = endpoint else { return ByteBuffer() }
    let promise = group.next().makePromise(of: ByteBuffer.self)
    let channel = try await ClientBootstrap(group: group)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(Collector(promise))
            }
        }
        .connect(host: host, port: port).get()
    if bytes.readableBytes > 0 { channel.writeAndFlush(bytes, promise: nil) }
    return try await promise.futureResult.get()
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<ByteBuffer>
    private var collected = ByteBuffer()

    init(_ promise: EventLoopPromise<ByteBuffer>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        collected.writeBuffer(&bytes)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed(collected) }
}
