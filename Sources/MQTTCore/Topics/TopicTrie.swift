/// Topic filters as a tree of levels: distinct filters become small numbers, and a topic finds the numbers of all filters
/// that match it, in a time that depends on the topic's levels and on the branches that match, not on how many filters
/// there are.
///
/// Filters have to be valid and come without `$share/<group>/`. Nothing here recurses: a topic may have 65,536 levels.
package struct TopicTrie: Sendable {
    private var nodes: TopicTrieNodes
    private var freeIDs: [Int32] = []
    private var nextID: Int32 = 0
    /// At least as many levels as the longest filter has.
    private var depth = 0

    package init() {
        var generator = SystemRandomNumberGenerator()
        self.init(using: &generator)
    }

    /// - Parameter generator: where the secret comes from that keeps a peer from choosing names that collide.
    package init(using generator: inout some RandomNumberGenerator) { nodes = TopicTrieNodes(using: &generator) }

    /// How many filters there are.
    package var count: Int { Int(nextID) - freeIDs.count }

    /// How many levels all filters have, those counted once that they share.
    package var levelCount: Int { nodes.count }

    /// Takes a filter and returns its number; a filter that is known keeps the one it has. Numbers of removed filters
    /// are given out again, so that they are good as indices.
    package mutating func insert(_ filter: String) -> Int {
        let (node, endsInHash) = filter.withBytes { bytes in
            var node = TopicTrieNodes.root
            var levels = TopicLevels(bytes)
            var depth = 0
            while let level = levels.next() {
                if level.isLast && level.isMultiLevelWildcard { return (node, true) }
                node = nodes.child(of: node, level) ?? nodes.addChild(to: node, level)
                depth += 1
                self.depth = max(self.depth, depth)
            }
            return (node, false)
        }
        let known = endsInHash ? nodes[node].hashID : nodes[node].filterID
        if known >= 0 { return Int(known) }
        let id = freeIDs.popLast() ?? nextID
        if id == nextID { nextID += 1 }
        if endsInHash { nodes[node].hashID = id } else { nodes[node].filterID = id }
        return Int(id)
    }

    /// Forgets a filter and frees its number; nothing happens when it is not there.
    package mutating func remove(_ filter: String) {
        guard let (node, endsInHash) = find(filter) else { return }
        let id = endsInHash ? nodes[node].hashID : nodes[node].filterID
        guard id >= 0 else { return }
        if endsInHash { nodes[node].hashID = -1 } else { nodes[node].filterID = -1 }
        freeIDs.append(id)
        if count == 0 {
            self = TopicTrie()
        } else {
            nodes.prune(from: node)
        }
    }

    /// The number of a filter, or nil when it is not there.
    package func id(of filter: String) -> Int? {
        guard let (node, endsInHash) = find(filter) else { return nil }
        let id = endsInHash ? nodes[node].hashID : nodes[node].filterID
        return id >= 0 ? Int(id) : nil
    }

    /// Appends the numbers of all filters that match the topic name, each once, in no particular order.
    package func match(_ topic: String, into ids: inout [Int]) {
        topic.withBytes { match($0, into: &ids) }
    }

    /// The node where a filter ends, and whether it ends there in `#`.
    private func find(_ filter: String) -> (node: Int32, endsInHash: Bool)? {
        filter.withBytes { bytes in
            var node = TopicTrieNodes.root
            var levels = TopicLevels(bytes)
            while let level = levels.next() {
                if level.isLast && level.isMultiLevelWildcard { return (node, true) }
                guard let child = nodes.child(of: node, level) else { return nil }
                node = child
            }
            return (node, false)
        }
    }
}

extension TopicTrie {
    /// A level of the topic being matched; hashed once, however many branches reach it.
    private struct HashedLevel {
        var bytes: UnsafeRawBufferPointer
        var hash: UInt64
    }

    /// A branch still to be looked at: a `+` that matched beside a name.
    private struct Pending {
        var node: Int32
        var level: Int32
    }

    private func match(_ topic: UnsafeRawBufferPointer, into ids: inout [Int]) {
        guard count > 0, !topic.isEmpty else { return }
        // No branch is deeper than the trie, and at most one waits at each level. Up to some forty levels this is on the stack.
        let capacity = min(depth, topic.count) + 1
        withUnsafeTemporaryAllocation(of: HashedLevel.self, capacity: capacity) { levels in
            withUnsafeTemporaryAllocation(of: Pending.self, capacity: capacity) { pending in
                var names = TopicLevels(topic)
                var levelCount = 0
                while levelCount < capacity, let name = names.next() {
                    levels.initializeElement(
                        at: levelCount, to: HashedLevel(bytes: name.bytes, hash: nodes.hash(name.bytes)))
                    levelCount += 1
                }
                // Where the topic goes on past the trie's depth, no node stands at its end.
                let isCut = names.hasNext
                walk(
                    UnsafeBufferPointer(rebasing: levels[..<levelCount]), isCut: isCut,
                    isSystem: topic[0] == UInt8(ascii: "$"), pending, into: &ids)
            }
        }
    }

    @inline(__always)
    private func walk(
        _ levels: UnsafeBufferPointer<HashedLevel>, isCut: Bool, isSystem: Bool,
        _ pending: UnsafeMutableBufferPointer<Pending>, into ids: inout [Int]
    ) {
        var pendingCount = 0
        var node = TopicTrieNodes.root
        var level = 0
        while true {
            // Wildcards at the first level don't match topics that begin with $ (MQTT-4.7.2-1).
            let takesWildcards = !(isSystem && level == 0)
            let (hashID, filterID, plus) = nodes.wildcards(of: node)
            if hashID >= 0 && takesWildcards { ids.append(Int(hashID)) }
            var next: Int32 = -1
            if level < levels.count {
                next = nodes.child(of: node, levels[level].bytes, hash: levels[level].hash)
                if plus >= 0 && takesWildcards {
                    if next < 0 {
                        next = plus
                    } else {
                        pending.initializeElement(at: pendingCount, to: Pending(node: plus, level: Int32(level + 1)))
                        pendingCount += 1
                    }
                }
            } else if filterID >= 0 && !isCut {
                ids.append(Int(filterID))
            }
            if next >= 0 {
                node = next
                level += 1
            } else if pendingCount > 0 {
                pendingCount -= 1
                node = pending[pendingCount].node
                level = Int(pending[pendingCount].level)
            } else {
                return
            }
        }
    }
}
