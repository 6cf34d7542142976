import NIOCore
import NIOPosix

/// Bytes to a port and back, without any idea of MQTT.
enum RawBytes {
    /// Sends the bytes and returns what comes until the other side closes.
    static func exchange(_ port: Int, _ bytes: [UInt8], patience: TimeAmount = .seconds(10)) async throws -> [UInt8] {
        let group = MultiThreadedEventLoopGroup.singleton
        let collected = group.any().makePromise(of: [UInt8].self)
        let channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(collected))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let timeout = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        // The broker may have closed already, which is an answer too.
        try? await channel.writeAndFlush(ByteBuffer(bytes: bytes))
        defer { timeout.cancel() }
        return try await collected.futureResult.get()
    }

    /// A connection on which nothing is sent.
    static func connect(_ port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
    }

    /// As ``exchange(_:_:patience:)``, but ends the connection itself when the other side does not within a moment.
    static func exchangeOrCut(_ port: Int, _ bytes: [UInt8]) async throws -> [UInt8] {
        try await exchange(port, bytes, patience: .milliseconds(50))
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let promise: EventLoopPromise<[UInt8]>
        private var bytes: [UInt8] = []

        init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += Array(unwrapInboundIn(data).readableBytesView)
        }

        func channelInactive(context: ChannelHandlerContext) { promise.succeed(bytes) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
