import MQTTCore
import NIOCore

/// A topic or filter cut into levels.
struct RetainedPath {
    let levels: [UTF8Key]

    init(_ topic: String) {
        levels = topic.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { UTF8Key(String(Substring($0))) }
    }
}

/// One level of topics that have retained messages.
final class RetainedNode: @unchecked Sendable {
    // Only touched under the store's lock, hence unchecked.
    private var children: [UTF8Key: RetainedNode] = [:]
    private var message: Message?

    /// The message of a topic, and how many of its levels there are not.
    func find(_ path: RetainedPath) -> (message: Message?, missing: Int) {
        var node = self
        for (depth, level) in path.levels.enumerated() {
            guard let child = node.children[level] else { return (nil, path.levels.count - depth) }
            node = child
        }
        return (node.message, 0)
    }

    /// - Returns: how many levels there are more than before.
    @discardableResult
    func set(_ message: Message?, at path: RetainedPath) -> Int {
        var way = [self]
        var change = 0
        for level in path.levels {
            let node = way[way.count - 1]
            if let child = node.children[level] {
                way.append(child)
            } else {
                guard message != nil else { return change }
                let child = RetainedNode()
                node.children[level] = child
                way.append(child)
                change += 1
            }
        }
        way[way.count - 1].message = message
        // Levels that lead to nothing any more go away.
        for index in path.levels.indices.reversed() {
            let child = way[index + 1]
            guard child.message == nil, child.children.isEmpty else { break }
            way[index].children[path.levels[index]] = nil
            change -= 1
        }
        return change
    }

    /// Without recursion: a topic may have 65,536 levels.
    ///
    /// - Parameter visited: goes up by the levels that were looked at.
    func collect(_ filter: ArraySlice<UTF8Key>, into found: inout [Message], visited: inout Int) {
        var waiting: [(node: RetainedNode, index: Int, takesAll: Bool)] = [(self, filter.startIndex, false)]
        while let (node, index, takesAll) = waiting.popLast() {
            visited += 1
            if takesAll {
                if let message = node.message { found.append(message) }
                for child in node.children.values { waiting.append((child, index, true)) }
                continue
            }
            guard index < filter.endIndex else {
                if let message = node.message { found.append(message) }
                continue
            }
            let isRoot = index == filter.startIndex
            switch filter[index].string.utf8.first {
            case UInt8(ascii: "#") where filter[index].string.utf8.count == 1:
                if let message = node.message, !isRoot { found.append(message) }
                for (name, child) in node.children where !(isRoot && name.isSystem) {
                    waiting.append((child, index, true))
                }
            case UInt8(ascii: "+") where filter[index].string.utf8.count == 1:
                for (name, child) in node.children where !(isRoot && name.isSystem) {
                    waiting.append((child, index + 1, false))
                }
            default:
                if let child = node.children[filter[index]] { waiting.append((child, index + 1, false)) }
            }
        }
    }

    /// - Returns: when the next of the others expires.
    func collectExpired(now: NIODeadline, into found: inout [Message]) -> NIODeadline? {
        var next: NIODeadline?
        var waiting = [self]
        while let node = waiting.popLast() {
            waiting.append(contentsOf: node.children.values)
            guard let message = node.message, let expiry = message.expiry else { continue }
            if message.hasExpired(now: now) { found.append(message) } else { next = min(next ?? expiry, expiry) }
        }
        return next
    }

    deinit {
        // A long chain of levels let go at once would recurse.
        var waiting = Array(children.values)
        children = [:]
        while let node = waiting.popLast() {
            waiting.append(contentsOf: node.children.values)
            node.children = [:]
        }
    }
}

extension UTF8Key {
    /// Topics that begin with `$` don't match a wildcard at their first level (MQTT-4.7.2-1).
    fileprivate var isSystem: Bool { string.utf8.first == UInt8(ascii: "$") }
}
