internal import MQTTCore
public import MQTTXClient
public import MQTTXProtocol

/// RPC by convention: one topic takes the requests to this endpoint and the responses to its calls.
///
/// ```swift
/// let rpc = try await ConventionalRPCManager(client, myTopic: "edge/device_123") { rpc in
///     rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
/// }
/// let settings: DeviceConfig = try await rpc.call("cloud/config-service", "get_device_config")
/// ```
/// How to register and to call is in ``RPCEndpoint``. The endpoint serves until ``close()``, or until the client is gone,
/// whether or not the program holds this value.
public final class ConventionalRPCManager: RPCEndpoint {
    /// The manager below, for what is in full control.
    public let rpcManager: RPCManager
    /// The topic that takes requests, and responses too unless there is a ``group``.
    public let myTopic: String
    /// The group of responders that shares the requests, if any.
    public let group: String?
    private let subscription: Subscription

    /// Lets the closure register the methods, and then subscribes. Connected, it returns once the broker has granted the
    /// subscription; before a connection it returns at once.
    ///
    /// - Parameters:
    ///   - client: carries the messages.
    ///   - myTopic: a topic name without wildcards.
    ///   - group: the name of a shared subscription (`$share/<group>/<myTopic>`): of all responders in it one gets each
    ///     request. Responses to our own calls come in at `rpc/r/<client id>` then.
    ///   - config: time limits and other bounds.
    ///   - codec: how messages become bytes; peers must use the same.
    ///   - authCallback: who may call what; nil lets everybody call everything.
    ///   - register: registers the methods that must be there when the first request comes.
    /// - Throws: `MQTTXError` with ``ErrorCode/invalidTopic``; ``ErrorCode/subscribeFailed`` if another endpoint of the
    ///   client has that topic, or if the broker refuses; what the closure throws.
    public init(
        _ client: MQTTClient, myTopic: String, group: String? = nil, config: RPCConfig = RPCConfig(),
        codec: any Codec = .json, authCallback: RPCAuthCallback? = nil,
        register: (RPCManager) throws -> Void
    ) async throws {
        try TopicName.validate(myTopic)
        let manager = RPCManager(client, config: config, codec: codec, authCallback: authCallback)
        try register(manager)
        self.myTopic = myTopic
        self.group = group
        rpcManager = manager
        if let group {
            subscription = try await client.subscribe("$share/\(group)/\(myTopic)", manager.handleRPCMessage)
        } else {
            subscription = try await client.subscribe(myTopic, manager.handleRPCMessage)
            manager.inbox.choose(myTopic, subscription)
        }
    }

    /// Subscribes at once. Methods that are registered afterwards may miss the first requests.
    ///
    /// - Throws: as the initializer that registers methods first.
    public convenience init(
        _ client: MQTTClient, myTopic: String, group: String? = nil, config: RPCConfig = RPCConfig(),
        codec: any Codec = .json, authCallback: RPCAuthCallback? = nil
    ) async throws {
        try await self.init(
            client, myTopic: myTopic, group: group, config: config, codec: codec, authCallback: authCallback,
            register: { _ in })
    }

    /// The client that carries the messages.
    public var client: MQTTClient { rpcManager.client }

    /// Waits until the broker has granted the subscription. Useful where the endpoint was made before the first
    /// connection.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/subscribeFailed`` or ``ErrorCode/permissionDenied`` if it was refused.
    public func ready() async throws { try await subscription.granted() }

    /// Ends the endpoint: unsubscribes, so that no more requests come; calls that wait fail with
    /// ``ErrorCode/notConnected``; handlers that run are cancelled. Returns when they have returned, so none of them
    /// may call it.
    public func close() async {
        // The handler is gone even if the broker does not answer.
        _ = try? await subscription.cancel()
        await rpcManager.close()
    }
}
