import MQTTX

/// Counts what is missing, came twice or came late, in bounded memory.
struct SequenceCheck {
    private static let mostStreams = 10_000
    private static let mostGaps = 100_000

    fileprivate struct Stream {
        /// All below this have come, or were given up.
        var next = 0
        var ahead: Set<Int> = []
        var highest = -1
        var givenUp = 0
    }

    private var streams: [Int: Stream] = [:]
    private(set) var numbered = 0
    private(set) var duplicated = 0
    private(set) var reordered = 0

    mutating func add(_ sequence: SequenceNumber) {
        guard streams.count < Self.mostStreams || streams[sequence.stream] != nil else { return }
        numbered += 1
        let (isDuplicate, isLate) = streams[sequence.stream, default: Stream()].add(
            sequence.number, mostGaps: Self.mostGaps)
        if isDuplicate { duplicated += 1 } else if isLate { reordered += 1 }
    }

    /// Numbers below the highest of their stream that have not come.
    var lost: Int { streams.values.reduce(0) { $0 + $1.lost } }
}

extension SequenceCheck.Stream {
    var lost: Int { givenUp + max(0, highest + 1 - next - ahead.count) }

    mutating func add(_ number: Int, mostGaps: Int) -> (isDuplicate: Bool, isLate: Bool) {
        guard number >= next, !ahead.contains(number) else { return (true, false) }
        let isLate = number < highest
        highest = max(highest, number)
        if number == next {
            next += 1
            while !ahead.isEmpty, ahead.remove(next) != nil { next += 1 }
        } else {
            ahead.insert(number)
            if ahead.count > mostGaps, let first = ahead.min() {
                givenUp += first - next
                next = first
                while ahead.remove(next) != nil { next += 1 }
            }
        }
        return (false, isLate)
    }
}
