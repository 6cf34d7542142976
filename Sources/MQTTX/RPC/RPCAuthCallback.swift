public import MQTTXProtocol

/// Decides whether a caller may call a method. Asked before the method is looked up; a throw refuses.
///
/// The caller's identifier is what the request says. Nothing proves it, unless the broker's access rules let nobody else
/// publish where such requests come from.
public typealias RPCAuthCallback =
    @Sendable (_ callerID: String, _ method: String, _ request: RPCRequest) async throws -> Bool
