import DequeModule
import NIOCore

/// One end of a proxied connection: hands what it reads to its peer, when the state lets it.
///
/// All members belong to the event loop, hence unchecked.
final class ProxyEnd: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: ProxyState
    private let life: ProxyLife
    var peer: ProxyEnd?
    private var context: ChannelHandlerContext?
    private var waiting = Deque<ByteBuffer>()
    private var isClosing = false
    /// No byte goes out before this.
    private var nextAllowed = NIODeadline.uptimeNanoseconds(0)

    init(state: ProxyState, life: ProxyLife) {
        self.state = state
        self.life = life
    }

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
        while !state.isStalled, let target = peer?.context, target.channel.isWritable, let next = waiting.popFirst() {
            let bytes = life.take(next)
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
            if life.isOver {
                waiting.removeAll()
                target.close(promise: nil)
                context?.close(promise: nil)
            }
        }
        readIfAllowed()
    }
}

/// How many bytes the two ends of a connection may still carry; nil for any number. Belongs to the event loop.
final class ProxyLife {
    private var bytesLeft: Int?

    init(bytesLeft: Int?) { self.bytesLeft = bytesLeft }

    var isOver: Bool { bytesLeft.map { $0 <= 0 } ?? false }

    /// As much of the bytes as may pass.
    func take(_ bytes: ByteBuffer) -> ByteBuffer {
        guard let left = bytesLeft else { return bytes }
        bytesLeft = left - bytes.readableBytes
        return bytes.getSlice(at: bytes.readerIndex, length: min(max(0, left), bytes.readableBytes)) ?? bytes
    }
}
