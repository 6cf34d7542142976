import Foundation
import MQTTCore

/// The rules of an ``ACLFile``.
struct ACLRules: Sendable {
    struct Access: OptionSet, Sendable {
        let rawValue: UInt8
        static let read = Access(rawValue: 1)
        static let write = Access(rawValue: 2)
        static let deny: Access = []
    }

    struct Rule: Sendable {
        var access: Access
        var filter: String
    }

    private var anonymous: [Rule] = []
    private var users: [String: [Rule]] = [:]
    private var patterns: [Rule] = []

    init(_ contents: String, name: String) throws(MQTTXError) {
        var user: String?
        for (index, line) in contents.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
            if text.isEmpty || text.hasPrefix("#") { continue }
            let (keyword, rest) = Self.cut(text)
            switch keyword {
            case "user" where !rest.isEmpty:
                user = rest
                users[rest] = users[rest] ?? []
            case "topic", "pattern":
                guard let rule = Self.rule(rest) else {
                    throw MQTTXError(.permissionDenied, "\(name), line \(index + 1): no valid topic filter")
                }
                if keyword == "pattern" {
                    patterns.append(rule)
                } else if let user {
                    users[user, default: []].append(rule)
                } else {
                    anonymous.append(rule)
                }
            default:
                throw MQTTXError(.permissionDenied, "\(name), line \(index + 1): '\(keyword)' is no keyword")
            }
        }
    }

    /// What holds for a client, patterns filled in.
    func rules(for client: ClientIdentity) -> [Rule] {
        let own = client.username.map { users[$0] ?? [] } ?? anonymous
        return own + patterns.compactMap { Self.fill($0, client) }
    }

    private static func cut(_ text: String) -> (String, String) {
        guard let space = text.firstIndex(where: { $0 == " " || $0 == "\t" }) else { return (text, "") }
        return (String(text[..<space]), text[space...].trimmingCharacters(in: .whitespaces))
    }

    private static func rule(_ text: String) -> Rule? {
        let (word, rest) = cut(text)
        let access: [String: Access] = ["read": .read, "write": .write, "readwrite": [.read, .write], "deny": .deny]
        // A word of access that is followed by nothing is a topic of that name.
        let rule: Rule
        if let access = access[word], !rest.isEmpty {
            rule = Rule(access: access, filter: rest)
        } else {
            rule = Rule(access: [.read, .write], filter: text)
        }
        return (try? TopicFilter(rule.filter)) == nil && !rule.filter.contains("%") ? nil : rule
    }

    /// A name with wildcards or separators in it would widen the pattern: no rule then.
    private static func fill(_ rule: Rule, _ client: ClientIdentity) -> Rule? {
        var rule = rule
        for (mark, value) in [("%c", client.clientID), ("%u", client.username)] where rule.filter.contains(mark) {
            guard let value, !value.utf8.contains(where: { "+#/".utf8.contains($0) }) else { return nil }
            rule.filter = rule.filter.replacingOccurrences(of: mark, with: value)
        }
        return rule
    }
}
