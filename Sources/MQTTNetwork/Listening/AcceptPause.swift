import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Accepts nothing for a while when the system has no descriptor or memory for another connection: those who wait stay in
/// the backlog, and the event loop has time for those who are there.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let shortages: Set<CInt> = [EMFILE, ENFILE, ENOBUFS, ENOMEM]
    private static let duration = TimeAmount.milliseconds(250)

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, Self.shortages.contains(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        let channel = context.channel
        // Not only no read: else the socket stays ready, and the event loop turns without end.
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.duration) {
            try? channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}
