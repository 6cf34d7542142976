import MQTTCore

/// The routes of topics used lately, for one event loop: a repeated topic costs one look-up, without a lock, and however
/// many subscriptions there are.
struct RouteCache {
    private static let maximumTopics = 4096
    private static let longestTopic = 512

    private var routes: [UTF8Key: Route] = [:]
    private var targets = 0
    private var generation: UInt64 = 0

    private let maximumTargets: Int

    /// - Parameter maximumTargets: what all routes together may cost, see ``Route/size``.
    init(maximumTargets: Int = 262_144) { self.maximumTargets = maximumTargets }

    /// Routes kept.
    var count: Int { routes.count }

    mutating func route(for topic: String, in router: Router) -> Route {
        let current = router.generation
        if current != generation {
            routes.removeAll(keepingCapacity: true)
            targets = 0
            generation = current
        }
        guard topic.utf8.count <= Self.longestTopic else { return router.match(topic) }
        let key = UTF8Key(topic)
        if let route = routes[key] { return route }
        let route = router.match(topic)
        let size = route.size
        if routes.count >= Self.maximumTopics || targets + size > maximumTargets {
            routes.removeAll(keepingCapacity: true)
            targets = 0
        }
        guard size <= maximumTargets else { return route }
        targets += size
        routes[key] = route
        return route
    }
}
