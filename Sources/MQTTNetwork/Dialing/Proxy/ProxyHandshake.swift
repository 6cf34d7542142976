import MQTTCore
import NIOCore
import NIOExtras
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Asks a proxy for a connection to the target.
enum ProxyHandshake {
    /// Succeeds when the channel reaches through the proxy.
    static func run(
        _ proxy: Proxy, to endpoint: Endpoint, on channel: any Channel, timeout: Duration
    ) -> EventLoopFuture<Void> {
        guard case .tcp(let host, let port) = endpoint else {
            let error = MQTTXError(.connectionFailed, "a Unix socket can't be reached through a proxy")
            return channel.eventLoop.makeFailedFuture(error)
        }
        switch proxy {
        case .httpConnect(_, _, let username, let password):
            let credentials = username.map { "\($0):\(password ?? "")" }
            return httpConnect(host, port, credentials: credentials, on: channel, timeout: timeout)
        case .socks5(_, _, let username, let password):
            let promise = channel.eventLoop.makePromise(of: Void.self)
            do {
                let negotiation = try SOCKS5Negotiation(host: host, port: port, username: username, password: password)
                try channel.pipeline.syncOperations.addHandler(SOCKS5Handler(negotiation, promise))
            } catch {
                promise.fail(error)
            }
            return promise.futureResult
        }
    }

    private static let encoderName = "proxy request"
    private static let decoderName = "proxy answer"
    private static let watcherName = "proxy errors"

    private static func httpConnect(
        _ host: String, _ port: Int, credentials: String?, on channel: any Channel, timeout: Duration
    ) -> EventLoopFuture<Void> {
        let authority = host.contains(":") ? "[\(host)]" : host
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            let error = MQTTXError(.connectionFailed, "the host name \(host) can't be asked for at a proxy")
            return channel.eventLoop.makeFailedFuture(error)
        }
        var headers: HTTPHeaders = ["Host": "\(authority):\(port)"]
        if let credentials {
            headers.add(name: "Proxy-Authorization", value: "Basic \(Data(credentials.utf8).base64EncodedString())")
        }
        let promise = channel.eventLoop.makePromise(of: Void.self)
        let decoder = ByteToMessageHandler(
            HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: .handshake))
        let connect = NIOHTTP1ProxyConnectHandler(
            targetHost: authority, targetPort: port, headers: headers, deadline: .now() + TimeAmount(timeout),
            promise: promise)
        let pipeline = channel.pipeline.syncOperations
        do {
            try pipeline.addHandler(HTTPRequestEncoder(), name: encoderName)
            try pipeline.addHandler(decoder, name: decoderName)
            try pipeline.addHandler(ProxyAnswerWatcher(promise), name: watcherName)
            // Last, for it sends its request as soon as it is there.
            try pipeline.addHandler(connect)
        } catch {
            promise.fail(error)
        }
        return promise.futureResult.flatMapErrorThrowing { error in
            throw MQTTXError(
                .connectionFailed, "the proxy gives no connection to \(host): \(words(error))", cause: error)
        }
        .flatMap { channel.pipeline.removeHandler(name: watcherName) }
        .flatMap { channel.pipeline.removeHandler(name: decoderName) }
        .flatMap { channel.pipeline.removeHandler(name: encoderName) }
    }

    private static func words(_ error: any Error) -> String {
        if error is HTTPParserError { return "it does not speak HTTP" }
        if let refusal = error as? ProxyRefusal { return "it answered \(refusal.status)" }
        guard let error = error as? NIOHTTP1ProxyConnectHandler.Error else { return NetworkFailure.words(for: error) }
        switch error {
        case .proxyAuthenticationRequired(): return "it wants a user name and a password (407)"
        case .remoteConnectionClosed(), .channelUnexpectedlyInactive(): return "it closed the connection"
        default: return String(describing: error)
        }
    }
}

/// A proxy that answers neither yes nor with the wish for a login.
private struct ProxyRefusal: Error {
    let status: HTTPResponseStatus
}

/// The library's handler lets errors pass, those of the HTTP decoder too, and keeps the status of a refusal to itself.
private final class ProxyAnswerWatcher: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart

    private let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data), head.status != .proxyAuthenticationRequired,
            !(200..<300).contains(head.status.code)
        {
            promise.fail(ProxyRefusal(status: head.status))
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}
