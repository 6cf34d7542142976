/// The levels of a topic name or filter, one after another, as bytes of the whole.
struct TopicLevels {
    struct Level {
        let bytes: UnsafeRawBufferPointer
        let isLast: Bool

        var isSingleLevelWildcard: Bool { bytes.count == 1 && bytes[0] == .singleLevelWildcard }
        var isMultiLevelWildcard: Bool { bytes.count == 1 && bytes[0] == .multiLevelWildcard }
    }

    private let bytes: UnsafeRawBufferPointer
    private var start = 0
    /// False once the last level, which may be empty, was returned.
    private(set) var hasNext = true

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(__always)
    mutating func next() -> Level? {
        guard hasNext else { return nil }
        var end = start
        while end < bytes.count, bytes[end] != .levelSeparator { end += 1 }
        let level = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        hasNext = end < bytes.count
        start = end + 1
        return Level(bytes: level, isLast: !hasNext)
    }
}

extension UInt8 {
    static let levelSeparator = UInt8(ascii: "/")
    static let singleLevelWildcard = UInt8(ascii: "+")
    static let multiLevelWildcard = UInt8(ascii: "#")
}
