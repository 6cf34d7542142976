internal import NIOCore

/// The deadlines of calls, earliest first. Calls that have ended stay in until they come to the top or are swept out, so
/// that ending a call costs nothing.
struct DeadlineHeap {
    struct Item {
        let deadline: NIODeadline
        let id: String
    }

    private var items: [Item] = []

    var count: Int { items.count }
    var first: Item? { items.first }
    var earliest: NIODeadline? { items.first?.deadline }

    mutating func insert(_ id: String, _ deadline: NIODeadline) {
        items.append(Item(deadline: deadline, id: id))
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[child].deadline < items[parent].deadline else { return }
            items.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeEarliest() -> Item? {
        guard let last = items.popLast() else { return nil }
        guard let first = items.first else { return last }
        items[0] = last
        sink(0)
        return first
    }

    /// Throws out what the predicate does not want any more; pays when most is of that kind.
    mutating func sweep(_ isWanted: (String) -> Bool) {
        items.removeAll { !isWanted($0.id) }
        for parent in stride(from: items.count / 2 - 1, through: 0, by: -1) { sink(parent) }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in (2 * parent + 1)...(2 * parent + 2) where child < items.count {
                if items[child].deadline < items[least].deadline { least = child }
            }
            guard least != parent else { return }
            items.swapAt(parent, least)
            parent = least
        }
    }
}
