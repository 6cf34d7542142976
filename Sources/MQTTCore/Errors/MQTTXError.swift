/// Everything that can go wrong, as one type: a stable code, a message for people, the MQTT reason code where the
/// broker gave one, and what caused it.
///
/// Catch by code:
/// ```swift
/// do { … } catch let error as MQTTXError where error.code == .rpcTimeout { … }
/// ```
/// or with a pattern: `catch ErrorCode.rpcTimeout { … }`.
public struct MQTTXError: Error, Sendable {
    /// What went wrong, in a form that programs can compare.
    public let code: ErrorCode
    /// What went wrong, for people; never empty.
    public let message: String
    /// The MQTT reason code that came with it, or that a violation is answered with.
    public let reasonCode: ReasonCode?
    /// What the broker sent with its reason code (MQTT 5.0): reason string, user properties, server reference.
    public let properties: Properties
    /// What caused it, when something else did.
    public let cause: (any Error)?

    /// - Parameters:
    ///   - code: what programs compare.
    ///   - message: for people; an empty one becomes the code's name.
    ///   - reasonCode: the MQTT reason code that came with it.
    ///   - properties: what the broker sent with the reason code.
    ///   - cause: the error behind it.
    public init(
        _ code: ErrorCode, _ message: String, reasonCode: ReasonCode? = nil, properties: Properties = Properties(),
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message.isEmpty ? code.name : message
        self.reasonCode = reasonCode
        self.properties = properties
        self.cause = cause
    }

    /// The base class that the error has in the Python package.
    public var category: Category {
        switch code.rawValue / 1000 {
        case 1: .connection
        case 2: .message
        case 3: .rpc
        case 4: .permission
        default: .other
        }
    }

    /// A family of errors, one for each thousand of the codes.
    public enum Category: Sendable, Hashable {
        /// The connection, its TLS or authentication: 1xxx.
        case connection
        /// A message, its topic or its coding: 2xxx.
        case message
        /// A call: 3xxx.
        case rpc
        /// What somebody may not do: 4xxx.
        case permission
        /// All else.
        case other
    }
}

extension MQTTXError: CustomStringConvertible {
    /// `[RPC_TIMEOUT] no response within 5 seconds`
    public var description: String { "[\(code.name)] \(message)" }
}

/// Lets `catch ErrorCode.rpcTimeout` work.
public func ~= (code: ErrorCode, error: any Error) -> Bool { (error as? MQTTXError)?.code == code }
