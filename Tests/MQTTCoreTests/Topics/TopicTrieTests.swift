import MQTTCore
import TestSupport
import Testing

@Suite("The trie of filters", .timeLimit(.minutes(2)))
struct TopicTrieTests {
    private func topic(_ random: inout SeededGenerator, wildcards: Bool) -> String {
        let names = ["a", "b", "", "$x", "long level name"] + (wildcards ? ["+", "+"] : [])
        var levels = (0...Int.random(in: 0...4, using: &random)).map { _ in names.randomElement(using: &random) ?? "a" }
        if wildcards, Int.random(in: 0..<3, using: &random) == 0 { levels.append("#") }
        let topic = levels.joined(separator: "/")
        return topic.isEmpty ? "a" : topic
    }

    private func matches(_ trie: TopicTrie, _ topic: String) -> [Int] {
        var ids: [Int] = []
        trie.match(topic, into: &ids)
        return ids.sorted()
    }

    @Test("It finds what comparing with every filter finds, while filters come and go")
    func bruteForce() throws {
        var random = SeededGenerator.announced("trie")
        var trie = TopicTrie()
        var known: [String: Int] = [:]
        var filters: [String: TopicFilter] = [:]
        for _ in 0..<1500 {
            let filter = topic(&random, wildcards: true)
            if filters[filter] == nil { filters[filter] = try TopicFilter(filter) }
            if Int.random(in: 0..<5, using: &random) < 3 {
                let id = trie.insert(filter)
                if let before = known[filter] {
                    #expect(id == before)
                } else {
                    #expect(!known.values.contains(id))
                }
                known[filter] = id
            } else {
                trie.remove(filter)
                known[filter] = nil
            }
            #expect(trie.count == known.count)
            #expect(trie.id(of: filter) == known[filter])
            let name = topic(&random, wildcards: false)
            let expected = known.filter { filters[$0.key]?.matches(name) == true }.map(\.value).sorted()
            #expect(matches(trie, name) == expected, "\(name)")
        }
        for filter in known.keys { trie.remove(filter) }
        #expect(trie.count == 0)
        #expect(matches(trie, "a").isEmpty)
    }

    @Test("Many filters come and most of them go")
    func manyFilters() {
        var trie = TopicTrie()
        let ids = (0..<5000).map { trie.insert("devices/\($0)/+/state") }
        #expect(Set(ids).count == 5000)
        #expect(ids.max() == 4999)
        #expect(matches(trie, "devices/4711/x/state") == [ids[4711]])
        for index in 0..<4990 { trie.remove("devices/\(index)/+/state") }
        #expect(matches(trie, "devices/4711/x/state").isEmpty)
        for index in 4990..<5000 { #expect(matches(trie, "devices/\(index)/x/state") == [ids[index]]) }
        #expect(trie.insert("new") < 5000)
    }

    @Test("A topic of 65,536 levels needs no deep stack")
    func deepTopics() {
        var trie = TopicTrie()
        let deep = String(repeating: "/", count: 65_535)
        let id = trie.insert(deep)
        let hash = trie.insert("#")
        let plus = trie.insert(String(repeating: "+/", count: 32_767) + "#")
        #expect(matches(trie, deep) == [id, hash, plus].sorted())
        trie.remove(deep)
        #expect(matches(trie, deep) == [hash, plus].sorted())
        #expect(matches(trie, "a") == [hash])
    }

    @Test("Branching filters cost no more than the nodes they made")
    func branching() {
        var trie = TopicTrie()
        var filters = [""]
        for _ in 0..<10 { filters = filters.flatMap { [$0 + "a/", $0 + "+/"] } }
        for filter in filters { _ = trie.insert(filter + "end") }
        #expect(matches(trie, String(repeating: "a/", count: 10) + "end").count == 1024)
        #expect(matches(trie, String(repeating: "a/", count: 10) + "other").isEmpty)
    }
}
