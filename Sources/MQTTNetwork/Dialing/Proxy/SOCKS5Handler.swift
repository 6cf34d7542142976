import MQTTCore
import NIOCore

/// Carries a SOCKS negotiation out, then leaves the pipeline.
final class SOCKS5Handler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var negotiation: SOCKS5Negotiation
    private var promise: EventLoopPromise<Void>?
    private var received = ByteBuffer()

    init(_ negotiation: SOCKS5Negotiation, _ promise: EventLoopPromise<Void>) {
        self.negotiation = negotiation
        self.promise = promise
    }

    /// On a channel that is connected already.
    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(negotiation.start()), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        // No more than one read's worth: an answer has 262 bytes at most, and what is whole is taken out at once.
        received.writeBuffer(&bytes)
        do throws(MQTTXError) {
            while true {
                switch try negotiation.received(&received) {
                case .awaitMore: return
                case .send(let answer): context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
                case .done: return finish(context)
                }
            }
        } catch {
            fail(error)
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(MQTTXError(.connectionFailed, "the proxy closed the connection"))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { fail(ChannelError.eof) }

    private func finish(_ context: ChannelHandlerContext) {
        promise?.succeed()
        promise = nil
        if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func fail(_ error: any Error) {
        promise?.fail(error)
        promise = nil
    }
}
