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
    // The client holds us through its subscriptions.
    private weak let client: MQTTClient?
    let config: RPCConfig
    let coder: MessageCoder
    let calls: PendingCalls
    let responder: Responder
    let inbox: Inbox
    private let decoding = DecodingLane()
    private let observer = Mutex<UInt64?>(nil)
    private let sessionSurvives = Mutex(false)

    init(client: MQTTClient, config: RPCConfig, codec: any Codec, authCallback: RPCAuthCallback?) {
        self.client = client
        self.config = config
        coder = MessageCoder(codec)
        calls = PendingCalls(limit: max(0, config.maxConcurrentCalls), eventLoop: client.eventLoop)
        responder = Responder(client: client, coder: coder, config: config, authCallback: authCallback)
        inbox = Inbox()
        if let server = client.server { noteSession(server) }
        let id = client.observe { [weak self] event in self?.connectionChanged(event) }
        observer.withLock { $0 = id }
    }

    deinit { removeObserver() }

    /// The way into this endpoint.
    var sink: MessageSink { MessageSink(exclusive: { self.receive($0) }) }

    // MARK: Receiving

    private func receive(_ message: MQTTMessage) {
        guard !message.retain else {
            client?.reportIgnored(topic: message.topic, reason: "a retained message is not a call")
            return
        }
        guard !coder.decodesOnReceivePath else { return take(message) }
        guard decoding.append(message, { self.take($0) }) else {
            client?.reportIgnored(topic: message.topic, reason: "too many messages wait to be decoded")
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
                client?.reportIgnored(topic: message.topic, reason: "a response that nobody waits for")
            }
        } catch {
            client?.reportIgnored(topic: message.topic, reason: "not an RPC message: \(error)")
        }
    }

    // MARK: The connection

    private func connectionChanged(_ event: MQTTClient.ConnectionEvent) {
        switch event {
        case .connected(let server):
            noteSession(server)
            if !server.sessionPresent {
                calls.failAll(MQTTXError(.connectionLost, "the broker lost the session while the call was waiting"))
            }
        case .disconnected(willReconnect: true, let cause):
            if !sessionSurvives.withLock({ $0 }) { calls.failAll(Self.lost(cause)) }
        case .disconnected(willReconnect: false, let cause):
            calls.failAll(Self.lost(cause))
        }
    }

    private static func lost(_ cause: MQTTXError) -> MQTTXError {
        MQTTXError(
            .connectionLost, "the connection was lost while the call was waiting: \(cause.message)",
            reasonCode: cause.reasonCode, cause: cause)
    }

    /// Whether the broker keeps the session, and the responses that come for it, when the connection is lost.
    private func noteSession(_ server: ServerCapabilities) {
        guard let config = client?.config else { return }
        let survives =
            switch server.version {
            case .v5: (server.sessionExpiryInterval ?? 0) > 0
            case .v3_1_1: !config.clientID.isEmpty
            }
        sessionSurvives.withLock { $0 = survives && !config.cleanSession }
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
        if let id { client?.removeObserver(id) }
    }
}
