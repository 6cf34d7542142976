/// How two topic filters lie to each other.
enum TopicFilterOverlap {
    /// Whether some topic matches both.
    static func overlap(_ a: String, _ b: String) -> Bool {
        let (a, b) = (levels(a), levels(b))
        guard isSameKind(a, b) else { return false }
        for index in 0...max(a.count, b.count) {
            let left = index < a.count ? a[index] : nil
            let right = index < b.count ? b[index] : nil
            if isHash(left) || isHash(right) { return true }
            guard let left, let right else {
                // One ends here: the other has to end too, but for a `#` that stands for nothing.
                return left == nil && right == nil
            }
            guard isPlus(left) || isPlus(right) || left.elementsEqual(right) else { return false }
        }
        return true
    }

    /// Whether every topic that matches `inner` matches `outer`.
    static func covers(_ outer: String, _ inner: String) -> Bool {
        let (a, b) = (levels(outer), levels(inner))
        guard isSameKind(a, b) else { return false }
        for index in 0...max(a.count, b.count) {
            let left = index < a.count ? a[index] : nil
            let right = index < b.count ? b[index] : nil
            if isHash(left) { return true }
            if isHash(right) { return false }
            guard let left, let right else { return left == nil && right == nil }
            guard isPlus(left) || !isPlus(right) && left.elementsEqual(right) else { return false }
        }
        return true
    }

    /// Whether the topic matches the filter.
    static func matches(_ filter: String, topic: String) -> Bool { covers(filter, topic) }

    /// A wildcard at the first level is not for `$` topics (MQTT-4.7.2-1).
    private static func isSameKind(_ a: [Substring.UTF8View], _ b: [Substring.UTF8View]) -> Bool {
        func isSystem(_ levels: [Substring.UTF8View]) -> Bool { levels.first?.first == UInt8(ascii: "$") }
        return isSystem(a) == isSystem(b)
    }

    private static func levels(_ filter: String) -> [Substring.UTF8View] {
        filter.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    }

    private static func isHash(_ level: Substring.UTF8View?) -> Bool { level?.elementsEqual("#".utf8) ?? false }
    private static func isPlus(_ level: Substring.UTF8View) -> Bool { level.elementsEqual("+".utf8) }
}
