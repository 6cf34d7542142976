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
    private var users: [UTF8Key: [Rule]] = [:]
    private var patterns: [Rule] = []

    init(_ contents: String, name: String) throws(MQTTXError) {
        var user: UTF8Key?
        for (number, text) in AccessFile.lines(contents) {
            let (keyword, rest) = Self.cut(text)
            switch keyword {
            case "user" where !rest.isEmpty:
                user = UTF8Key(rest)
            case "topic", "pattern":
                guard let rule = Self.rule(rest) else {
                    throw MQTTXError(
                        .permissionDenied,
                        "\(name), line \(number): no [read|write|readwrite|deny] and valid topic filter")
                }
                if keyword == "pattern" {
                    patterns.append(rule)
                } else if let user {
                    users[user, default: []].append(rule)
                } else {
                    anonymous.append(rule)
                }
            default:
                throw MQTTXError(.permissionDenied, "\(name), line \(number): '\(keyword)' is no keyword")
            }
        }
    }

    /// What holds for a client: the rules of its own, and behind them the patterns, filled in. The first group that
    /// knows a topic decides.
    func groups(for client: ClientIdentity) -> [[Rule]] {
        let own = client.username.map { users[UTF8Key($0)] ?? [] } ?? anonymous
        // Such a name would widen the patterns.
        let isDangerous = [client.clientID, client.username ?? ""].contains { name in
            name.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
        }
        return [own, isDangerous ? [] : patterns.compactMap { Self.fill($0, client) }]
    }

    private static func cut(_ text: Substring) -> (keyword: String, rest: String) {
        let word = text.prefix { $0 != " " && $0 != "\t" }
        return (String(word), String(text.dropFirst(word.count).drop { $0 == " " || $0 == "\t" }))
    }

    private static func rule(_ text: String) -> Rule? {
        let (word, rest) = cut(text[...])
        let rule: Rule
        if rest.isEmpty {
            // A word of access that is followed by nothing is a topic of that name.
            rule = Rule(access: [.read, .write], filter: word)
        } else {
            let access: [String: Access] = [
                "read": .read, "write": .write, "readwrite": [.read, .write], "deny": .deny,
            ]
            // A topic with a space in it has to have its access named.
            guard let access = access[word] else { return nil }
            rule = Rule(access: access, filter: rest)
        }
        return (try? TopicFilter(rule.filter)) == nil ? nil : rule
    }

    /// In one pass: a client identifier `%u` stands for itself.
    private static func fill(_ rule: Rule, _ client: ClientIdentity) -> Rule? {
        guard rule.filter.utf8.contains(UInt8(ascii: "%")) else { return rule }
        var filled: [UInt8] = []
        var rest = rule.filter.utf8[...]
        while let byte = rest.popFirst() {
            switch (byte, rest.first) {
            case (UInt8(ascii: "%"), UInt8(ascii: "c")):
                filled += client.clientID.utf8
            case (UInt8(ascii: "%"), UInt8(ascii: "u")):
                guard let username = client.username else { return nil }
                filled += username.utf8
            default:
                filled.append(byte)
                continue
            }
            rest.removeFirst()
        }
        return Rule(access: rule.access, filter: String(decoding: filled, as: UTF8.self))
    }
}
