internal import MQTTCore
public import MQTTXClient
public import MQTTXProtocol
internal import NIOCore

/// Calls methods of peers and serves methods to them, in full control of the topics.
///
/// ```swift
/// let rpc = RPCManager(client)
/// rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
/// try await client.subscribe("server/device_001", rpc.handleRPCMessage)
/// let data = try await rpc.call("bots/device_002", "get_data", timeout: .seconds(5), replyTo: "server/device_001")
/// ```
/// ``ConventionalRPCManager`` does the subscribing itself. How to register and to call is in ``RPCEndpoint``.
///
/// Methods of an endpoint are served for as long as a subscription leads to it, whether or not the program holds the
/// manager; ``close()`` ends it.
public final class RPCManager: RPCEndpoint {
    /// The client that carries the messages.
    public let client: MQTTClient
    /// The configuration as given.
    public let config: RPCConfig
    let core: RPCCore
    // Not the core's, which the client holds: its subscription holds the client's core.
    let inbox = Inbox()

    /// - Parameters:
    ///   - client: carries the messages; it need not be connected yet.
    ///   - config: time limits and other bounds.
    ///   - codec: how messages become bytes; peers must use the same.
    ///   - authCallback: who may call what; nil lets everybody call everything.
    public init(
        _ client: MQTTClient, config: RPCConfig = RPCConfig(), codec: any Codec = .json,
        authCallback: RPCAuthCallback? = nil
    ) {
        self.client = client
        self.config = config
        core = RPCCore(client: client, config: config, codec: codec, authCallback: authCallback)
    }

    /// This manager.
    public var rpcManager: RPCManager { self }

    /// Takes requests and responses of a subscription: `client.subscribe(topic, rpc.handleRPCMessage)`.
    ///
    /// Messages are accepted on the receive path and never wait behind handlers. A client has one endpoint for a topic:
    /// subscribing a second one is an error (1004).
    public var handleRPCMessage: MessageSink { core.sink }

    /// Subscribes to the topic where responses are to come in, and names it in all calls that name none.
    ///
    /// Without this, the first call subscribes to `rpc/r/<client id>`.
    ///
    /// - Throws: `MQTTXError` as ``MQTTClient/subscribe(_:qos:_:)``.
    public func setup(replyTopic: String) async throws {
        try TopicName.validate(replyTopic)
        inbox.choose(replyTopic, try await client.subscribe(replyTopic, handleRPCMessage))
    }

    /// How many calls of ours wait for their responses.
    public var pendingCallCount: Int { core.calls.count }

    /// Ends the endpoint: calls that wait fail with ``ErrorCode/notConnected``, handlers that run are cancelled, and the
    /// inbox is unsubscribed. Returns when the handlers have returned, so none of them may call it. Subscriptions that the
    /// program made are its own to cancel.
    public func close() async {
        await core.close()
        // The handler is gone even if the broker does not answer.
        _ = try? await inbox.close()?.cancel()
    }
}
