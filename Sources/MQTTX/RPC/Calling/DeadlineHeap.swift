internal import NIOCore

/// Calls by their deadlines, earliest first. Those that have ended stay in until they come to the top or are swept out, so
/// that ending a call costs nothing here.
struct DeadlineHeap {
    private var calls: [PendingCalls.Call] = []

    var count: Int { calls.count }
    var first: PendingCalls.Call? { calls.first }

    /// Costs one look where deadlines come in order, as those of calls with the same timeout do.
    mutating func insert(_ call: PendingCalls.Call) {
        calls.append(call)
        var child = calls.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard calls[child].deadline < calls[parent].deadline else { return }
            calls.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        guard let last = calls.popLast(), !calls.isEmpty else { return }
        calls[0] = last
        sink(0)
    }

    /// Throws out the calls that have ended; pays when most have.
    mutating func sweep() {
        calls.removeAll(where: \.isOver)
        for parent in stride(from: calls.count / 2 - 1, through: 0, by: -1) { sink(parent) }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in (2 * parent + 1)...(2 * parent + 2) where child < calls.count {
                if calls[child].deadline < calls[least].deadline { least = child }
            }
            guard least != parent else { return }
            calls.swapAt(parent, least)
            parent = least
        }
    }
}
