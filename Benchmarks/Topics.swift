import MQTTCore

/// Topics and filters, checked and matched one against the other.
func topics() throws -> [Benchmark] {
    let names = names
    let filter = try TopicFilter("site/+/+/temperature")
    return [
        Benchmark("topic/validate") { try TopicName.validate("sensors/room1/temperature") },
        Benchmark("topic/parse-filter") { keep(try TopicFilter("sensors/+/temperature/#")) },
        Benchmark("topic/match-filter", batch: names.count) { for name in names { keep(filter.matches(name)) } },
    ]
}

/// Topics looked up among many filters.
func tries() -> [Benchmark] {
    let names = names
    var generator = FixedNumbers()
    var small = TopicTrie(using: &generator)
    for name in names { _ = small.insert(name) }
    var large = TopicTrie(using: &generator)
    for number in 0..<10_000 { _ = large.insert("site/\(number % 100)/device-\(number)/#") }
    for filter in ["site/+/+/temperature", "site/#", "+/3/+/+", "$SYS/#"] { _ = large.insert(filter) }

    func match(_ name: String, _ trie: TopicTrie) -> Benchmark {
        var ids: [Int] = []
        return Benchmark("trie/\(name)", batch: names.count) {
            for name in names {
                ids.removeAll(keepingCapacity: true)
                trie.match(name, into: &ids)
                keep(ids.count)
            }
        }
    }
    return [
        match("match-among-64", small),
        match("match-wildcards-among-10000", large),
        Benchmark("trie/insert-remove") {
            _ = small.insert("site/3/+/humidity")
            small.remove("site/3/+/humidity")
        },
    ]
}

/// The same numbers in every run (SplitMix64).
private struct FixedNumbers: RandomNumberGenerator {
    private var state: UInt64 = 1

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}

private let names = (0..<64).map { "site/\($0 % 8)/device-\($0)/temperature" }
