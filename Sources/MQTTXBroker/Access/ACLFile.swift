public import MQTTCore
import Synchronization

/// An access control file in mosquitto's format.
///
/// ```
/// topic read public/#            # before any user: for anonymous clients
/// user edge
/// topic readwrite devices/edge/#
/// topic deny devices/edge/secret
/// pattern write clients/%c/state # for everyone; %c is the client identifier, %u the user name
/// ```
/// What no rule allows is refused; a `deny` that matches wins over the rest. A subscription is refused when nothing it
/// could bring may be read; where it is wider than what may be read, messages are left out one by one.
public final class ACLFile: Authorizer {
    private let path: String?
    private let rules: Mutex<ACLRules>

    /// Reads a file.
    ///
    /// - Throws: `MQTTXError` with code `.permissionDenied` that names the line which can't be used.
    public init(path: String) throws(MQTTXError) {
        self.path = path
        rules = Mutex(try ACLRules(try PasswordFile.read(path), name: path))
    }

    /// Takes the contents of such a file.
    public init(contents: String) throws(MQTTXError) {
        path = nil
        rules = Mutex(try ACLRules(contents, name: "the ACL file"))
    }

    /// Reads the file again; call ``Broker/accessRulesChanged()`` after it. When it can't be used the old rules stay.
    public func reload() throws(MQTTXError) {
        guard let path else { return }
        let new = try ACLRules(try PasswordFile.read(path), name: path)
        rules.withLock { $0 = new }
    }

    public func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool {
        decide(client, .write) { TopicFilterOverlap.matches($0, topic: topic) }
    }

    public func mayReceive(_ topic: String, by client: ClientIdentity) -> Bool {
        decide(client, .read) { TopicFilterOverlap.matches($0, topic: topic) }
    }

    public func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool {
        let rules = rules.withLock { $0 }.rules(for: client)
        // A deny stands in the way of a subscription only when it covers all of it.
        if rules.contains(where: { $0.access == .deny && TopicFilterOverlap.covers($0.filter, filter) }) {
            return false
        }
        return rules.contains { $0.access.contains(.read) && TopicFilterOverlap.overlap($0.filter, filter) }
    }

    private func decide(_ client: ClientIdentity, _ access: ACLRules.Access, _ matches: (String) -> Bool) -> Bool {
        let matching = rules.withLock { $0 }.rules(for: client).filter { matches($0.filter) }
        if matching.contains(where: { $0.access == .deny }) { return false }
        return matching.contains { $0.access.contains(access) }
    }
}
