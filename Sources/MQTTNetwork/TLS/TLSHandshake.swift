import MQTTCore
import NIOCore
import NIOSSL
import NIOTLS

/// A context that came from another thread.
struct TLSClientContext: Sendable {
    let context: NIOSSLContext
}

/// Puts TLS into a pipeline and tells when the handshake is done.
enum TLSHandshake {
    static func client(
        _ tls: TLSClientContext, serverName: String?, on channel: any Channel
    ) -> EventLoopFuture<PeerCertificate?> {
        let promise = channel.eventLoop.makePromise(of: PeerCertificate?.self)
        do {
            let handler = try NIOSSLClientHandler(context: tls.context, serverHostname: serverName)
            // The watcher first: on an active channel the handshake starts as soon as the TLS handler is added.
            let watcher = TLSHandshakeWatcher(promise)
            try channel.pipeline.syncOperations.addHandler(watcher)
            try channel.pipeline.syncOperations.addHandler(handler, position: .before(watcher))
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }

    static func server(_ context: NIOSSLContext, on channel: any Channel) throws -> EventLoopFuture<PeerCertificate?> {
        let promise = channel.eventLoop.makePromise(of: PeerCertificate?.self)
        do {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
            try channel.pipeline.syncOperations.addHandler(TLSHandshakeWatcher(promise))
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }
}

/// Sits behind the TLS handler until the handshake has ended, one way or the other.
private final class TLSHandshakeWatcher: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private var promise: EventLoopPromise<PeerCertificate?>?

    init(_ promise: EventLoopPromise<PeerCertificate?>) { self.promise = promise }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        // What follows in the pipeline is added while this call runs: the first packet may be right behind.
        finish(.success(certificate(context).flatMap(PeerCertificate.init)))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(TLSFailure(error, peerCertificate: certificate(context))))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(TLSFailure(ChannelError.eof, peerCertificate: nil)))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(.failure(TLSFailure(ChannelError.eof, peerCertificate: nil)))
    }

    private func certificate(_ context: ChannelHandlerContext) -> NIOSSLCertificate? {
        (try? context.pipeline.syncOperations.nioSSL_peerCertificate()) ?? nil
    }

    private func finish(_ result: Result<PeerCertificate?, any Error>) {
        promise?.completeWith(result)
        promise = nil
    }
}
