internal import MQTTCore
internal import MQTTXClient
internal import MQTTXProtocol
internal import NIOCore
internal import Synchronization

/// What a manager and the client's subscriptions share: the way of received messages, the calls that wait, and the
/// requests that are served.
///
/// Subscriptions hold it, so that an endpoint goes on serving when nobody holds its manager any more.
final class RPCCore: Sendable {
    let client: ClientLink
    let config: RPCConfig
    let coder: MessageCoder
    let calls: PendingCalls
    let responder: Responder
    private let decoding = DecodingLane()
    private let observer = Mutex<UInt64?>(nil)

    init(client: MQTTClient, config: RPCConfig, codec: any Codec, authCallback: RPCAuthCallback?) {
        let link = client.link
        self.client = link
        self.config = config
        coder = MessageCoder(codec)
        calls = PendingCalls(limit: max(0, config.maxConcurrentCalls), eventLoop: client.eventLoop)
        responder = Responder(
            client: link, clientConfig: client.config, coder: coder, config: config, authCallback: authCallback)
        // Not this endpoint itself: the client would keep it alive.
        let watch = ConnectionWatch(link, calls, responder.crew)
        if let server = client.server { watch.noteSession(server) }
        let id = client.observe { watch.connectionChanged($0) }
        observer.withLock { $0 = id }
    }

    deinit {
        removeObserver()
        calls.disarm()
    }

    /// The way into this endpoint.
    var sink: MessageSink { MessageSink(exclusive: { self.receive($0) }) }

    // MARK: Receiving

    private func receive(_ message: MQTTMessage) {
        guard !message.retain else {
            client.reportIgnored(topic: message.topic, reason: "a retained message is not a call")
            return
        }
        guard !coder.decodesOnReceivePath else { return take(message) }
        guard decoding.append(message, { self.take($0) }) else {
            client.reportIgnored(topic: message.topic, reason: "too many messages wait to be decoded")
            return
        }
    }

    private func take(_ message: MQTTMessage) {
        do throws(MQTTXError) {
            let incoming = try coder.decodeRPC(message.payload, message.properties)
            switch incoming.message {
            case .request(let request):
                responder.accept(request, form: incoming.form, topic: message.topic)
            case .response(let response):
                guard !calls.complete(response.requestID, .response(response)) else { return }
                client.reportIgnored(topic: message.topic, reason: "a response that nobody waits for")
            }
        } catch {
            client.reportIgnored(topic: message.topic, reason: "not an RPC message: \(error)")
        }
    }

    // MARK: The end

    func close() async {
        removeObserver()
        calls.close(MQTTXError(.notConnected, "the RPC endpoint is closed"))
        await responder.close()
    }

    private func removeObserver() {
        let id = observer.withLock { observer in
            defer { observer = nil }
            return observer
        }
        if let id { client.removeObserver(id) }
    }
}
