import MQTTCore

/// Says which topics a client may publish and subscribe to.
///
/// Called on event loops: answer at once, from memory. Answers are kept for a topic until subscriptions change or
/// ``Broker/accessRulesChanged()`` is called.
public protocol Authorizer: Sendable {
    /// Whether the client may publish to the topic.
    func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool
    /// Whether the client may subscribe to the filter, given without `$share/<group>/`.
    func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool
    /// Whether the client may receive messages of the topic; for subscriptions wider than what it may read.
    func mayReceive(_ topic: String, by client: ClientIdentity) -> Bool
}

extension Authorizer {
    /// Whatever it may subscribe to.
    public func mayReceive(_ topic: String, by client: ClientIdentity) -> Bool { true }
}

/// Who a client is, once it is let in.
public struct ClientIdentity: Sendable, Hashable {
    /// The client identifier, as given or assigned.
    public let clientID: String
    /// The user name, or what the authenticator made of it; nil for an anonymous client.
    public let username: String?

    /// An identity; for tests of an ``Authorizer``.
    public init(clientID: String, username: String?) {
        self.clientID = clientID
        self.username = username
    }

    /// Equality of the bytes: names that look the same are two clients.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        UTF8Key(lhs.clientID) == UTF8Key(rhs.clientID) && lhs.isSameUser(as: rhs)
    }

    func isSameUser(as other: Self) -> Bool { username.map(UTF8Key.init) == other.username.map(UTF8Key.init) }
}
