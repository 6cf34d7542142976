import MQTTCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Answers requests for MQTT over WebSocket.
enum WebSocketServerHandshake {
    /// Calls `upgraded` once the frames are set up: what it adds to the pipeline comes behind them. The future tells
    /// how the handshake ended.
    static func run(
        _ settings: WebSocketListenSettings, on channel: any Channel,
        upgraded: @escaping @Sendable (any Channel) throws -> Void
    ) -> EventLoopFuture<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        do {
            let upgrader = WebSocketServerUpgrader(settings: settings, upgraded: upgraded, promise: promise)
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                withPipeliningAssistance: false,
                withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }),
                withErrorHandling: true, withOutboundHeaderValidation: true,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: .handshake)
            let refuser = WebSocketRequestRefuser(settings: settings, promise: promise)
            try channel.pipeline.syncOperations.addHandler(refuser, name: refuserName)
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }

    fileprivate static let refuserName = "MQTT WebSocket refusal"
    fileprivate static let version = "13"

    /// Why a request is not taken; nil when it is.
    fileprivate static func refusal(
        of request: HTTPRequestHead, settings: WebSocketListenSettings
    ) -> (HTTPResponseStatus, String)? {
        let path = request.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        if let wanted = settings.path, path != wanted { return (.notFound, "no such path") }
        guard request.method == .GET else { return (.methodNotAllowed, "a WebSocket is asked for with GET") }
        guard request.headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" }) else {
            return (.upgradeRequired, "MQTT over WebSocket is spoken here")
        }
        guard request.headers["Sec-WebSocket-Version"] == [version] else {
            return (.upgradeRequired, "version \(version) of WebSocket is spoken here")
        }
        guard request.headers["Host"].count == 1, isKey(request.headers["Sec-WebSocket-Key"]) else {
            return (.badRequest, "the WebSocket headers are malformed")
        }
        guard subprotocol(of: request) != nil else {
            return (.badRequest, "the subprotocol mqtt was not asked for [MQTT-6.0.0-3]")
        }
        return nil
    }

    /// Whether it is the one header with 16 bytes in Base64 that a client has to send (RFC 6455, section 4.2.1).
    private static func isKey(_ values: [String]) -> Bool {
        guard let key = values.first, values.count == 1, key.utf8.count == 24, key.hasSuffix("==") else { return false }
        return key.utf8.dropLast(2).allSatisfy {
            switch $0 {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                true
            default: false
            }
        }
    }

    /// MQTT's subprotocol, or the name that clients from before 3.1.1 know it by where they offer no other.
    fileprivate static func subprotocol(of request: HTTPRequestHead) -> String? {
        let offered = request.headers[canonicalForm: "Sec-WebSocket-Protocol"]
        return ["mqtt", "mqttv3.1"].first { offered.contains($0[...]) }
    }
}

/// The library's handshake, with MQTT's subprotocol answered and our frames in place of the library's.
private final class WebSocketServerUpgrader: HTTPServerProtocolUpgrader, Sendable {
    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []

    private let handshake: NIOWebSocketServerUpgrader
    private let upgraded: @Sendable (any Channel) throws -> Void
    private let promise: EventLoopPromise<Void>

    init(
        settings: WebSocketListenSettings, upgraded: @escaping @Sendable (any Channel) throws -> Void,
        promise: EventLoopPromise<Void>
    ) {
        self.upgraded = upgraded
        self.promise = promise
        handshake = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, request in
                guard WebSocketServerHandshake.refusal(of: request, settings: settings) == nil,
                    let subprotocol = WebSocketServerHandshake.subprotocol(of: request)
                else { return channel.eventLoop.makeSucceededFuture(nil) }
                return channel.eventLoop.makeSucceededFuture(["Sec-WebSocket-Protocol": subprotocol])
            },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    }

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        handshake.buildUpgradeResponse(
            channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
    }

    func upgrade(context: ChannelHandlerContext, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<Void> {
        let channel = context.channel
        let added = context.eventLoop.makeCompletedFuture {
            guard channel.isActive else { throw ChannelError.eof }
            let pipeline = channel.pipeline.syncOperations
            pipeline.removeHandler(name: WebSocketServerHandshake.refuserName, promise: nil)
            try pipeline.addHandler(WebSocketHandler(role: .server))
            try upgraded(channel)
        }
        added.cascade(to: promise)
        return added
    }
}

/// Sees what the upgrade left over: a request other than the one expected. Answers it and closes.
private final class WebSocketRequestRefuser: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let settings: WebSocketListenSettings
    private let promise: EventLoopPromise<Void>

    init(settings: WebSocketListenSettings, promise: EventLoopPromise<Void>) {
        self.settings = settings
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let request) = unwrapInboundIn(data) else { return }
        let (status, reason) =
            WebSocketServerHandshake.refusal(of: request, settings: settings)
            ?? (.badRequest, "the WebSocket headers are malformed")
        var headers: HTTPHeaders = ["Content-Type": "text/plain", "Connection": "close"]
        let body = ByteBuffer(string: reason + "\n")
        headers.add(name: "Content-Length", value: "\(body.readableBytes)")
        if status == .upgradeRequired {
            headers.add(name: "Upgrade", value: "websocket")
            headers.add(name: "Sec-WebSocket-Version", value: WebSocketServerHandshake.version)
        }
        if status == .methodNotAllowed { headers.add(name: "Allow", value: "GET") }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        fail(WebSocketHandshakeFailure(words: reason), context: context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The request itself comes next, and is answered then.
        guard !(error is NIOWebSocketUpgradeError) else { return }
        fail(error, context: context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(WebSocketHandshakeFailure(words: "the client closed the connection"))
        context.fireChannelInactive()
    }

    private func fail(_ error: any Error, context: ChannelHandlerContext) {
        promise.fail(error)
        context.close(promise: nil)
    }
}
