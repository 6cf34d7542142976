import MQTTCore

/// The shapes of one session's filters: where they have a name and where `+`, and the share name if they have one.
///
/// A topic matches one filter of a shape at most, since the names have to be its own. So a publish looks at as many levels
/// as the shapes have together, however many filters there are of each. Filters without `+` lie on the topic's own way and
/// cost nothing beside it.
struct FilterShapes {
    private var counts: [UTF8Key: Int] = [:]
    /// Of all shapes together.
    private(set) var levels = 0

    /// - Returns: whether there was room among `maximum` levels.
    mutating func insert(_ filter: TopicFilter, maximum: Int) -> Bool {
        guard let (shape, levels) = Self.shape(of: filter) else { return true }
        if let count = counts[shape] {
            counts[shape] = count + 1
            return true
        }
        guard self.levels + levels <= maximum else { return false }
        counts[shape] = 1
        self.levels += levels
        return true
    }

    mutating func remove(_ filter: TopicFilter) {
        guard let (shape, levels) = Self.shape(of: filter), let count = counts[shape] else { return }
        counts[shape] = count > 1 ? count - 1 : nil
        if count == 1 { self.levels -= levels }
    }

    private static func shape(of filter: TopicFilter) -> (UTF8Key, levels: Int)? {
        let names = filter.filter.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        var shape = filter.shareName.map { $0 + "/" } ?? ""
        var hasPlus = false
        for name in names {
            let isPlus = name.count == 1 && name.first == UInt8(ascii: "+")
            let isHash = name.count == 1 && name.first == UInt8(ascii: "#")
            hasPlus = hasPlus || isPlus
            shape.append(isPlus ? "+" : isHash ? "#" : ".")
        }
        return hasPlus || filter.shareName != nil ? (UTF8Key(shape), names.count) : nil
    }
}
