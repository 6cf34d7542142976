import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What all of our sockets have in common.
package enum SocketOptions {
    /// Beyond the upper mark the channel says that it takes no more; below the lower one it does again.
    static let writeBuffer = ChannelOptions.Types.WriteBufferWaterMark(low: 64 * 1024, high: 256 * 1024)
    /// Small where little comes, as on idle connections; large where much comes.
    static let readBuffer = AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: 64 * 1024)
    /// Of a client, which has one connection or a few.
    static let largestRead = 256 * 1024
    /// Reads before the event loop turns to other connections.
    static let readsPerTurn: UInt = 4

    static func apply(
        to bootstrap: ClientBootstrap, endpoint: Endpoint, userTimeout: Duration?
    ) -> ClientBootstrap {
        let common =
            bootstrap
            .channelOption(.writeBufferWaterMark, value: writeBuffer)
            .channelOption(.recvAllocator, value: readBuffer)
            .channelOption(.maxMessagesPerRead, value: readsPerTurn)
        guard case .tcp = endpoint else { return common }
        let tcp =
            common
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
        #if os(Linux)
            if let userTimeout {
                return tcp.channelOption(
                    .tcpOption(.init(rawValue: CInt(TCP_USER_TIMEOUT))), value: Int(userTimeout.wholeMilliseconds))
            }
        #endif
        return tcp
    }

    static func apply(to bootstrap: ServerBootstrap, endpoint: Endpoint) -> ServerBootstrap {
        let common =
            bootstrap
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.writeBufferWaterMark, value: writeBuffer)
            .childChannelOption(.recvAllocator, value: readBuffer)
            .childChannelOption(.maxMessagesPerRead, value: readsPerTurn)
        guard case .tcp = endpoint else { return common }
        return
            common
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
    }
}

extension Duration {
    /// In milliseconds, at least one and at most what a C `int` holds.
    var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds < 2_147_483 else { return Int32.max }
        return Int32(max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
