public import MQTTCore
import Synchronization

/// An access control file in mosquitto's format.
///
/// ```
/// # Before any user: for anonymous clients.
/// topic read public/#
/// user edge
/// topic readwrite devices/edge/#
/// topic deny devices/edge/secret
/// # For everyone; %c is the client identifier, %u the user name.
/// pattern write clients/%c/state
/// ```
/// A client's own rules come first, and the patterns decide about topics that those don't allow or deny; among either, a
/// `deny` wins. What no rule allows is refused. Patterns are not for a client with `+` or `#` in its name or identifier.
///
/// mosquitto grants any subscription and leaves out messages that may not be read. Here a subscription is refused when
/// nothing it could bring may be read; where it is wider than that, messages are left out one by one as well.
public final class ACLFile: Authorizer {
    private let path: String?
    private let rules: Mutex<ACLRules>

    /// Reads a file.
    ///
    /// - Throws: `MQTTXError` with code `.permissionDenied` that names the line which can't be used.
    public init(path: String) throws(MQTTXError) {
        self.path = path
        rules = Mutex(try ACLRules(try AccessFile.read(path, failure: .permissionDenied), name: path))
    }

    /// Takes the contents of such a file.
    public init(contents: String) throws(MQTTXError) {
        path = nil
        rules = Mutex(try ACLRules(contents, name: "the ACL file"))
    }

    /// Reads the file again; call ``Broker/accessRulesChanged()`` after it. When it can't be used the old rules stay.
    public func reload() throws(MQTTXError) {
        guard let path else { return }
        let new = try ACLRules(try AccessFile.read(path, failure: .permissionDenied), name: path)
        rules.withLock { $0 = new }
    }

    /// Whether the file lets the client write the topic.
    public func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool {
        decide(client, .write) { TopicFilterOverlap.matches($0, topic: topic) }
    }

    /// Whether the file lets the client read the topic.
    public func mayReceive(_ topic: String, by client: ClientIdentity) -> Bool {
        decide(client, .read) { TopicFilterOverlap.matches($0, topic: topic) }
    }

    /// Whether the file lets the client read some topic of the filter.
    public func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool {
        for rules in rules.withLock({ $0 }).groups(for: client) {
            // A deny stands in the way of a subscription only when it covers all of it.
            if rules.contains(where: { $0.access == .deny && TopicFilterOverlap.covers($0.filter, filter) }) {
                return false
            }
            if rules.contains(where: { $0.access.contains(.read) && TopicFilterOverlap.overlap($0.filter, filter) }) {
                return true
            }
        }
        return false
    }

    private func decide(_ client: ClientIdentity, _ access: ACLRules.Access, _ matches: (String) -> Bool) -> Bool {
        for rules in rules.withLock({ $0 }).groups(for: client) {
            let matching = rules.filter { matches($0.filter) }
            if matching.contains(where: { $0.access == .deny }) { return false }
            if matching.contains(where: { $0.access.contains(access) }) { return true }
        }
        return false
    }
}
