import MQTTCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Asks a server for MQTT over WebSocket.
enum WebSocketClientHandshake {
    /// Succeeds with the pipeline carrying the MQTT stream; what is added then comes behind the frames.
    static func run(
        _ settings: WebSocketSettings, to endpoint: Endpoint, on channel: any Channel
    ) -> EventLoopFuture<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        do {
            let request = try request(settings, to: endpoint)
            let upgrader = WebSocketClientUpgrader(upgraded: promise)
            try channel.pipeline.syncOperations.addHTTPClientHandlers(
                leftOverBytesStrategy: .forwardBytes, enableOutboundHeaderValidation: true,
                encoderConfiguration: .init(), decoderLimitConfiguration: .handshake,
                withClientUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
            try channel.pipeline.syncOperations.addHandler(WebSocketAnswerWatcher(promise), name: watcherName)
            channel.write(HTTPClientRequestPart.head(request)).cascadeFailure(to: promise)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil)).cascadeFailure(to: promise)
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }

    fileprivate static let watcherName = "MQTT WebSocket answer"

    private static func request(
        _ settings: WebSocketSettings, to endpoint: Endpoint
    ) throws(MQTTXError) -> HTTPRequestHead {
        let path = settings.path.isEmpty ? "/" : settings.path
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw MQTTXError(.connectionFailed, "\(path) is no WebSocket path: it begins with / and is percent-encoded")
        }
        var headers = HTTPHeaders()
        switch endpoint {
        case .tcp: headers.add(name: "Host", value: endpoint.description)
        case .unix: headers.add(name: "Host", value: "localhost")
        }
        for header in settings.headers { headers.add(name: header.name, value: header.value) }
        headers.replaceOrAdd(name: "Sec-WebSocket-Protocol", value: "mqtt")
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
    }
}

extension NIOHTTPDecoderLimitConfiguration {
    /// For a request or an answer of which nothing is needed but a few headers.
    static var handshake: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 * 1024
        limits.maxHeaderListSize = 64 * 1024
        limits.maxHeaderFieldCount = 128
        return limits
    }
}

/// The library's handshake, with MQTT's subprotocol checked and our frames in place of the library's.
private final class WebSocketClientUpgrader: NIOHTTPClientProtocolUpgrader, Sendable {
    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []

    private let handshake = NIOWebSocketClientUpgrader { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
    private let upgraded: EventLoopPromise<Void>

    init(upgraded: EventLoopPromise<Void>) { self.upgraded = upgraded }

    func addCustom(upgradeRequestHeaders: inout HTTPHeaders) {
        handshake.addCustom(upgradeRequestHeaders: &upgradeRequestHeaders)
    }

    func shouldAllowUpgrade(upgradeResponse: HTTPResponseHead) -> Bool {
        let headers = upgradeResponse.headers
        guard handshake.shouldAllowUpgrade(upgradeResponse: upgradeResponse) else {
            return deny("the server does not prove that it speaks WebSocket (Sec-WebSocket-Accept)")
        }
        guard headers[canonicalForm: "Sec-WebSocket-Protocol"] == ["mqtt"] else {
            return deny("the server did not accept the subprotocol mqtt")
        }
        guard headers["Sec-WebSocket-Extensions"].isEmpty else {
            return deny("the server uses an extension that was not offered")
        }
        return true
    }

    private func deny(_ reason: String) -> Bool {
        upgraded.fail(WebSocketHandshakeFailure(words: reason))
        return false
    }

    func upgrade(context: ChannelHandlerContext, upgradeResponse: HTTPResponseHead) -> EventLoopFuture<Void> {
        let pipeline = context.channel.pipeline
        let added = context.eventLoop.makeCompletedFuture {
            pipeline.syncOperations.removeHandler(name: WebSocketClientHandshake.watcherName, promise: nil)
            try pipeline.syncOperations.addHandler(WebSocketHandler(role: .client))
        }
        added.cascade(to: upgraded)
        return added
    }
}

/// Sees what the upgrade left over: an answer other than the one asked for.
private final class WebSocketAnswerWatcher: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        fail("the server answered \(head.status.code) \(head.status.reasonPhrase)", context: context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is NIOHTTPClientUpgradeError:
            fail("the server's answer makes no sense", context: context)
        case let error as HTTPParserError where error == .invalidHeaderToken:
            fail("a header of the request or of the answer is malformed", context: context)
        case is HTTPParserError:
            fail("the server does not speak HTTP on this port", context: context)
        default:
            promise.fail(error)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("the server closed the connection", context: context)
        context.fireChannelInactive()
    }

    private func fail(_ reason: String, context: ChannelHandlerContext) {
        promise.fail(WebSocketHandshakeFailure(words: reason))
        context.close(promise: nil)
    }
}
