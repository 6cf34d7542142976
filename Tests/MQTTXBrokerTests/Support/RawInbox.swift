import DequeModule
import MQTTCore
import NIOCore
import Synchronization

/// Packets that came and were not asked for yet, and those who ask.
final class RawInbox: Sendable {
    private struct State {
        var decoder: PacketDecoder
        var packets = Deque<Packet>()
        var waiters = Deque<EventLoopPromise<Packet?>>()
        var isClosed = false
    }

    private let state: Mutex<State>

    init(version: ProtocolVersion) {
        state = Mutex(State(decoder: PacketDecoder(role: .client, version: version)))
    }

    func append(_ bytes: ByteBuffer) throws {
        try state.withLock { state in
            state.decoder.append(bytes)
            while let decoded = try state.decoder.next() {
                guard case .packet(let packet) = decoded else { continue }
                if let waiter = state.waiters.popFirst() {
                    waiter.succeed(packet)
                } else {
                    state.packets.append(packet)
                }
            }
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            for waiter in state.waiters { waiter.succeed(nil) }
            state.waiters = []
        }
    }

    func fail(_ error: any Error) {
        state.withLock { state in
            for waiter in state.waiters { waiter.fail(error) }
            state.waiters = []
        }
    }

    func next(on eventLoop: any EventLoop) -> EventLoopFuture<Packet?> {
        state.withLock { state in
            if let packet = state.packets.popFirst() { return eventLoop.makeSucceededFuture(packet) }
            if state.isClosed { return eventLoop.makeSucceededFuture(nil) }
            let promise = eventLoop.makePromise(of: Packet?.self)
            state.waiters.append(promise)
            return promise.futureResult
        }
    }
}

/// Fills the inbox from the socket.
final class RawHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inbox: RawInbox

    init(inbox: RawInbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try inbox.append(unwrapInboundIn(data))
        } catch {
            inbox.fail(error)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.close() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { inbox.close() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
