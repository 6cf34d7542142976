import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Lets the kernel acknowledge what a TCP socket receives as soon as it is read.
///
/// A peer that leaves Nagle's algorithm on waits for that acknowledgement before it sends its next small packet. After a write
/// the kernel may keep it back for 40 ms, so that it travels with the next one; so this is asked after writes. Asked only
/// after reads, it is sent only once what was read has been dealt with.
///
/// The socket is asked directly: the channel's options take two thousand instructions, and this is asked for every lone message.
struct QuickAcknowledgement {
    #if os(Linux)
        private let socket: NIOBSDSocket.Handle

        /// Nil where it would have no effect: on sockets other than TCP. Call it on the channel's event loop.
        init?(_ channel: any Channel) {
            guard let address = channel.localAddress, address.protocol != .unix,
                let socket = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                    of: NIOBSDSocket.Handle.self, { $0 })
            else { return nil }
            self.socket = socket
        }

        /// Asks; until something is written again. The channel must be active: else the descriptor is another's by now.
        func ask() {
            var on: CInt = 1
            _ = setsockopt(socket, CInt(IPPROTO_TCP), CInt(TCP_QUICKACK), &on, socklen_t(MemoryLayout<CInt>.size))
        }
    #else
        /// Always nil: Linux alone can be asked.
        init?(_ channel: any Channel) { return nil }

        func ask() {}
    #endif
}
