/// What ``RPCManager`` and ``ConventionalRPCManager`` have in common: methods to serve and calls to make.
///
/// Methods may be registered and unregistered at any time. A handler gets the params as a ``JSONValue`` or as any
/// `Decodable` type, or none, and the ``RPCRequest`` too if it takes two arguments; it returns a ``JSONValue`` (literals
/// do), any `Encodable` value, or nothing. It may be `async`, may throw, and may itself call out. What it throws goes to
/// the caller as text.
///
/// ```swift
/// rpc.register("get_status") { (params: JSONValue) in ["status": "online", "cpu": 45.2] }
/// rpc.register("add") { (p: AddParams) async throws -> Sum in Sum(value: p.a + p.b) }
/// rpc.register("whoami") { (_: JSONValue, request: RPCRequest) in .string(request.callerID) }
/// rpc.register("reset") { print("reset") }
/// ```
/// Handlers run concurrently, as many as ``RPCConfig/maxConcurrentRequests``. A handler that waits holds up none, one that
/// blocks its thread does. Task-local values do not reach them.
public protocol RPCEndpoint: Sendable {
    /// The manager that does it.
    var rpcManager: RPCManager { get }
}
