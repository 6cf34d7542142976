import MQTTCore

/// Who gets the messages of one topic.
final class Route: Sendable {
    static let none = Route(targets: [], groups: [])

    let targets: [Target]
    let groups: [SharedGroup]

    init(targets: [Target], groups: [SharedGroup]) {
        self.targets = targets
        self.groups = groups
    }

    var isEmpty: Bool { targets.isEmpty && groups.isEmpty }

    /// What keeping it costs, a target being one: a session with many matching subscriptions has many identifiers.
    var size: Int { targets.reduce(targets.count + groups.count) { $0 + $1.grant.identifiers.count / 8 } }

    /// One session with all of its subscriptions that match: it gets one copy, at the highest QoS, with all identifiers
    /// (MQTT-3.3.4-2, -3, -4).
    ///
    /// An object, so that each message counts one reference for it and not three.
    final class Target: Sendable {
        let session: Session
        let grant: Grant
        /// What it gets of its own messages; nil for nothing. Differs from ``grant`` where No Local is set.
        let ownGrant: Grant?

        init(session: Session, grant: Grant, ownGrant: Grant?) {
            self.session = session
            self.grant = grant
            self.ownGrant = ownGrant
        }
    }

    struct Grant: Sendable {
        var qos: QoS
        var retainAsPublished: Bool
        var identifiers: [UInt32]

        init(_ subscription: Subscription) {
            qos = subscription.options.qos
            retainAsPublished = subscription.options.retainAsPublished
            identifiers = subscription.identifier.map { [$0] } ?? []
        }

        mutating func merge(_ subscription: Subscription) {
            qos = max(qos, subscription.options.qos)
            retainAsPublished = retainAsPublished || subscription.options.retainAsPublished
            if let identifier = subscription.identifier { identifiers.append(identifier) }
        }
    }
}
