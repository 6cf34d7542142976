import DequeModule
import NIOCore

/// One end of a proxied connection: hands what it reads to its peer, when the state lets it.
///
/// All members belong to the event loop, hence unchecked.
final class ProxyEnd: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: ProxyState
    var peer: ProxyEnd?
    private var context: ChannelHandlerContext?
    private var waiting = Deque<ByteBuffer>()
    private var isClosing = false
    /// No byte goes out before this.
    private var nextAllowed = NIODeadline.uptimeNanoseconds(0)

    init(state: ProxyState) { self.state = state }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        peer = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        readIfAllowed()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        waiting.append(unwrapInboundIn(data))
        forward()
    }

    func channelReadComplete(context: ChannelHandlerContext) { readIfAllowed() }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        // A stalled link tells its other end nothing.
        if !state.isStalled { peer?.context?.close(promise: nil) }
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { peer?.forward() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func readIfAllowed() {
        guard !state.isStalled, waiting.isEmpty else { return }
        context?.read()
    }

    func resume() {
        forward()
        readIfAllowed()
        if isClosing { peer?.context?.close(promise: nil) }
    }

    private func forward() {
        while !state.isStalled, let target = peer?.context, target.channel.isWritable, let bytes = waiting.popFirst() {
            let wait = max(.now(), nextAllowed) + state.delay
            if let rate = state.rate, rate > 0 {
                nextAllowed =
                    max(.now(), nextAllowed) + .nanoseconds(Int64(bytes.readableBytes) * 1_000_000_000 / Int64(rate))
            }
            if state.delay == .zero && state.rate == nil {
                target.writeAndFlush(NIOAny(bytes), promise: nil)
            } else {
                state.loop.scheduleTask(deadline: wait) {
                    self.peer?.context?.channel.writeAndFlush(bytes, promise: nil)
                }
            }
        }
        readIfAllowed()
    }
}
