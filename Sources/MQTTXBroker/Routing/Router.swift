import MQTTCore
import Synchronization

/// All subscriptions, and who a topic's messages go to.
final class Router: Sendable {
    /// Which topics a session may receive, asked when a route is made.
    typealias ReadCheck = @Sendable (_ session: Session, _ topic: String) -> Bool

    private struct Subscribers {
        var filter: String
        var sessions: [UInt64: (session: Session, subscription: Subscription)] = [:]
        var groups: [UTF8Key: SharedGroup] = [:]

        var isEmpty: Bool { sessions.isEmpty && groups.isEmpty }
    }

    private struct Subscriptions {
        /// As they stood in SUBSCRIBE.
        var filters: [UTF8Key: TopicFilter] = [:]
        /// Those of them that are shared.
        var groups: [UTF8Key: SharedGroup] = [:]
        var shapes = FilterShapes()
    }

    private struct State {
        var trie = TopicTrie()
        /// By the number that the trie gave to the filter.
        var filters: [Subscribers?] = []
        var bySession: [UInt64: Subscriptions] = [:]
        var subscriptions = 0
        /// What the subscriptions take beside the levels of their filters.
        var bytes = 0

        var memory: Int { bytes + trie.levelCount * Router.levelCost }
    }

    /// What a level of a filter takes, and a subscription beside its text, roughly.
    private static let levelCost = 96
    private static let subscriptionCost = 320

    private let state = Mutex(State())
    private let changes = Atomic<UInt64>(1)
    private let maximumSubscriptions: Int
    private let maximumWildcardLevels: Int
    private let maximumBytes: Int
    private let mayRead: ReadCheck?

    /// The limits hold for each session, but for that on the memory, which holds for all together.
    init(maximumSubscriptions: Int, maximumWildcardLevels: Int, maximumBytes: Int, mayRead: ReadCheck?) {
        self.maximumSubscriptions = maximumSubscriptions
        self.maximumWildcardLevels = maximumWildcardLevels
        self.maximumBytes = maximumBytes
        self.mayRead = mayRead
    }

    /// Changes whenever routes made before may be wrong.
    var generation: UInt64 { changes.load(ordering: .acquiring) }

    var subscriptionCount: Int { state.withLock { $0.subscriptions } }

    /// Makes all routes anew: access rules have changed.
    func invalidate() { changes.add(1, ordering: .releasing) }

    // MARK: Subscriptions

    /// - Returns: whether the session had no such subscription; nil when a limit stands in the way.
    func subscribe(_ session: Session, _ filter: TopicFilter, _ subscription: Subscription) -> Bool? {
        defer { invalidate() }
        return state.withLock { state in
            let key = UTF8Key(filter.string)
            let isNew = state.bySession[session.number]?.filters[key] == nil
            if isNew {
                guard state.memory + Self.cost(filter) + Self.largestLevelCost(filter) <= maximumBytes,
                    admit(filter, key, to: &state.bySession[session.number, default: Subscriptions()])
                else { return nil }
                state.bytes += Self.cost(filter)
            }
            let id = state.trie.insert(filter.filter)
            while state.filters.count <= id { state.filters.append(nil) }
            if state.filters[id] == nil { state.filters[id] = Subscribers(filter: filter.filter) }
            if let name = filter.shareName {
                let name = UTF8Key(name)
                let group = state.filters[id]?.groups[name] ?? SharedGroup()
                state.filters[id]?.groups[name] = group
                state.bySession[session.number]?.groups[key] = group
                session.noteSharedSubscription()
                group.join(session, subscription)
            } else {
                state.filters[id]?.sessions[session.number] = (session, subscription)
            }
            if isNew { state.subscriptions += 1 }
            return isNew
        }
    }

    private func admit(_ filter: TopicFilter, _ key: UTF8Key, to subscriptions: inout Subscriptions) -> Bool {
        guard subscriptions.filters.count < maximumSubscriptions,
            subscriptions.shapes.insert(filter, maximum: maximumWildcardLevels)
        else { return false }
        subscriptions.filters[key] = filter
        return true
    }

    /// The session's subscription to exactly this filter, which is not a shared one.
    func subscription(of session: Session, to filter: String) -> Subscription? {
        state.withLock { state in
            state.trie.id(of: filter).flatMap { state.filters[$0]?.sessions[session.number]?.subscription }
        }
    }

    /// The shared subscriptions that the session is a member of.
    func sharedGroups(of session: Session) -> [SharedGroup] {
        state.withLock { state in state.bySession[session.number].map { Array($0.groups.values) } ?? [] }
    }

    /// - Returns: whether there was such a subscription.
    func unsubscribe(_ session: Session, _ filter: String) -> Bool {
        defer { invalidate() }
        return state.withLock { state in
            guard let known = state.bySession[session.number]?.filters.removeValue(forKey: UTF8Key(filter)) else {
                return false
            }
            state.bySession[session.number]?.shapes.remove(known)
            state.bySession[session.number]?.groups[UTF8Key(filter)] = nil
            if state.bySession[session.number]?.filters.isEmpty == true { state.bySession[session.number] = nil }
            Self.remove(session, known, &state)
            return true
        }
    }

    /// The session has ended.
    func removeAll(_ session: Session) {
        let hadSome = state.withLock { state in
            guard let subscriptions = state.bySession.removeValue(forKey: session.number) else { return false }
            for filter in subscriptions.filters.values { Self.remove(session, filter, &state) }
            return true
        }
        if hadSome { invalidate() }
    }

    private static func cost(_ filter: TopicFilter) -> Int { subscriptionCost + 2 * filter.string.utf8.count }

    private static func largestLevelCost(_ filter: TopicFilter) -> Int {
        filter.filter.utf8.reduce(levelCost) { $1 == UInt8(ascii: "/") ? $0 + levelCost : $0 }
    }

    private static func remove(_ session: Session, _ filter: TopicFilter, _ state: inout State) {
        state.subscriptions -= 1
        state.bytes -= cost(filter)
        guard let id = state.trie.id(of: filter.filter), id < state.filters.count else { return }
        if let name = filter.shareName {
            let key = UTF8Key(name)
            if let group = state.filters[id]?.groups[key], group.leave(session) { state.filters[id]?.groups[key] = nil }
        } else {
            state.filters[id]?.sessions[session.number] = nil
        }
        if state.filters[id]?.isEmpty == true {
            state.filters[id] = nil
            state.trie.remove(filter.filter)
        }
    }

    // MARK: Routes

    func match(_ topic: String) -> Route {
        let route = state.withLock { state -> Route in
            var ids: [Int] = []
            state.trie.match(topic, into: &ids)
            guard !ids.isEmpty else { return .none }
            var matches = Matches()
            for id in ids {
                guard let subscribers = state.filters[id] else { continue }
                matches.groups.append(contentsOf: subscribers.groups.values)
                for (session, subscription) in subscribers.sessions.values { matches.add(session, subscription) }
            }
            return matches.route
        }
        guard let mayRead, !route.isEmpty else { return route }
        return Route(targets: route.targets.filter { mayRead($0.session, topic) }, groups: route.groups)
    }

    private struct Matches {
        var groups: [SharedGroup] = []
        private var order: [Session] = []
        private var grants: [UInt64: (all: Route.Grant, own: Route.Grant?)] = [:]

        mutating func add(_ session: Session, _ subscription: Subscription) {
            let own = subscription.options.noLocal ? nil : Route.Grant(subscription)
            guard var (all, ownGrant) = grants[session.number] else {
                order.append(session)
                grants[session.number] = (Route.Grant(subscription), own)
                return
            }
            all.merge(subscription)
            if ownGrant == nil {
                ownGrant = own
            } else if own != nil {
                ownGrant?.merge(subscription)
            }
            grants[session.number] = (all, ownGrant)
        }

        var route: Route {
            let targets = order.compactMap { session in
                grants[session.number].map { Route.Target(session: session, grant: $0.all, ownGrant: $0.own) }
            }
            return targets.isEmpty && groups.isEmpty ? .none : Route(targets: targets, groups: groups)
        }
    }
}
