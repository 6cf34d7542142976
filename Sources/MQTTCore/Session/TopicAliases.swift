/// Topic aliases from the peer (section 3.3.2.3.4): a number that stands for a topic it sent before on this connection.
package struct IncomingTopicAliases: Sendable {
    private let maximum: Int
    private var topics: [String] = []

    /// - Parameter maximum: the Topic Alias Maximum that we announced; 0 takes none.
    package init(maximum: Int) { self.maximum = maximum }

    /// Gives the message its topic, or learns an alias from it. The alias itself stays among its properties.
    package mutating func resolve(_ publish: inout Publish) throws(MQTTXError) {
        guard let alias = publish.properties.topicAlias else {
            guard !publish.topic.isEmpty else {
                throw MQTTXError(
                    .protocolViolation, "a PUBLISH has neither topic nor topic alias", reasonCode: .protocolError)
            }
            return
        }
        guard alias >= 1, Int(alias) <= maximum else {
            throw MQTTXError(
                .protocolViolation, "topic alias \(alias) is outside 1 to \(maximum)", reasonCode: .topicAliasInvalid)
        }
        let index = Int(alias) - 1
        if publish.topic.isEmpty {
            guard index < topics.count, !topics[index].isEmpty else {
                throw MQTTXError(
                    .protocolViolation, "topic alias \(alias) was never set", reasonCode: .protocolError)
            }
            publish.topic = topics[index]
        } else {
            while topics.count <= index { topics.append("") }
            topics[index] = publish.topic
        }
    }
}

/// Topic aliases to the peer: the first topics used get one each, until the peer's Topic Alias Maximum is reached, or a
/// mebibyte of topics: the peer chooses the first, and may choose the topics as well.
package struct OutgoingTopicAliases: Sendable {
    private static let maximumBytes = 1 << 20

    private let maximum: Int
    private var aliases: [UTF8Key: UInt16] = [:]
    private var bytes = 0
    /// The topic that was sent last, which the next often is as well.
    private var last = (topic: "", alias: UInt16(0))

    /// - Parameter maximum: the Topic Alias Maximum that the peer announced; 0 assigns none.
    package init(maximum: Int) { self.maximum = maximum }

    /// How a topic goes out: the alias, if it has one, and whether the topic itself has to be there as well.
    package mutating func alias(for topic: String) -> (alias: UInt16?, sendTopic: Bool) {
        guard maximum > 0 else { return (nil, true) }
        if last.alias > 0, StringIdentity(last.topic) == StringIdentity(topic) { return (last.alias, false) }
        let key = UTF8Key(topic)
        if let alias = aliases[key] {
            last = (topic, alias)
            return (alias, false)
        }
        guard aliases.count < maximum, bytes + topic.utf8.count <= Self.maximumBytes else { return (nil, true) }
        bytes += topic.utf8.count
        let alias = UInt16(aliases.count + 1)
        aliases[key] = alias
        return (alias, true)
    }

    /// The packet that would have told the peer of the alias was not sent.
    package mutating func forget(_ topic: String) {
        // Only the newest can be taken back without leaving a gap.
        let key = UTF8Key(topic)
        guard let alias = aliases[key], Int(alias) == aliases.count else { return }
        bytes -= topic.utf8.count
        aliases[key] = nil
        last = ("", 0)
    }
}
