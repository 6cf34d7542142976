import NIOCore
import TestSupport
import Testing

@testable import MQTTX

@Suite(.timeLimit(.minutes(2))) struct DeadlineHeapTests {
    @Test("Deadlines come out in order, whatever the order they went in, also after a sweep")
    func order() {
        var heap = DeadlineHeap()
        var wanted: [Int64] = []
        // A fixed shuffle: 7 is prime to 101.
        for step in 0..<Int64(101) {
            let time = (step * 7) % 101
            let call = PendingCalls.Call("\(time)", deadline: .uptimeNanoseconds(UInt64(time)))
            call.isOver = time % 3 != 0
            heap.insert(call)
            if time % 3 == 0 { wanted.append(time) }
        }
        heap.sweep()
        #expect(heap.count == wanted.count)
        var order: [Int64] = []
        while let call = heap.first {
            order.append(Int64(call.key.string) ?? -1)
            heap.removeFirst()
        }
        #expect(order == wanted.sorted())
    }
}

@Suite(.timeLimit(.minutes(2))) struct ReplayCacheTests {
    private func key(_ id: Int) -> ReplayCache.Key { ReplayCache.Key(requestID: "\(id)", replyTo: "r") }

    private func remember(_ id: Int, _ answer: ByteBuffer, in cache: inout ReplayCache) {
        let entry = ReplayCache.Entry(key(id), .dual)
        cache.begin(entry)
        cache.end(entry, answer, now: start)
    }

    private func answer(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    private func text(_ finding: ReplayCache.Finding) -> String {
        switch finding {
        case .new: "new"
        case .running: "running"
        case .forgotten: "forgotten"
        case .answered(let payload, _): String(buffer: payload)
        }
    }

    private let start = NIODeadline.uptimeNanoseconds(1_000)

    @Test("A request is new, then running, then answered, and new again when its time is over")
    func life() {
        var cache = ReplayCache(RPCConfig())
        #expect(text(cache.find(key(1), now: start)) == "new")
        let entry = ReplayCache.Entry(key(1), .dual)
        cache.begin(entry)
        #expect(text(cache.find(key(1), now: start)) == "running")
        cache.end(entry, answer("yes"), now: start)
        #expect(text(cache.find(key(1), now: start + .seconds(599))) == "yes")
        #expect(text(cache.find(key(1), now: start + .seconds(600))) == "new")
        #expect(cache.bytes == 0)
    }

    @Test("What was not answered is forgotten at once")
    func unanswered() {
        var cache = ReplayCache(RPCConfig())
        let entry = ReplayCache.Entry(key(1), .dual)
        cache.begin(entry)
        cache.end(entry, nil, now: start)
        #expect(text(cache.find(key(1), now: start)) == "new")
    }

    @Test("The oldest give way when there are too many, in number or in bytes")
    func bounds() {
        var config = RPCConfig()
        config.replayCacheCount = 3
        var cache = ReplayCache(config)
        for id in 1...5 { remember(id, answer("\(id)"), in: &cache) }
        #expect((1...5).map { text(cache.find(key($0), now: start)) } == ["new", "new", "3", "4", "5"])
        config.replayCacheCount = 1_000
        config.replayCacheBytes = 64 * 1024
        cache = ReplayCache(config)
        for id in 1...1_000 { remember(id, answer(String(repeating: "x", count: 1_000)), in: &cache) }
        #expect(cache.bytes <= 64 * 1024)
        #expect(cache.count < 100)
        remember(0, answer(String(repeating: "x", count: 100_000)), in: &cache)
        #expect(text(cache.find(key(0), now: start)) == "forgotten")
        #expect(cache.count > 10)
    }
}

@Suite(.timeLimit(.minutes(2))) struct ChainedTableTests {
    private final class Item: Chained {
        let key: Int
        let hash: UInt64
        var next: Item?

        init(_ key: Int, hash: UInt64) {
            self.key = key
            self.hash = hash
        }
    }

    @Test("It holds what a dictionary holds, also where all hashes are alike", arguments: [1, 3, UInt64.max])
    func modelled(hashes: UInt64) {
        var generator = SeededGenerator.announced("chained table")
        var table = ChainedTable<Item>()
        var model: [Int: Item] = [:]
        for _ in 0..<5_000 {
            let key = Int.random(in: 0..<200, using: &generator)
            let hash = UInt64(key) &* 0x9E37_79B9_7F4A_7C15 % hashes
            if let known = model[key] {
                if Bool.random(using: &generator) {
                    table.remove(known)
                    model[key] = nil
                }
            } else {
                let item = Item(key, hash: hash)
                table.insert(item)
                model[key] = item
            }
            #expect(table.find(key, hash: hash) === model[key])
            #expect(table.count == model.count)
        }
        #expect(Set(table.all.map(\.key)) == Set(model.keys))
        table.remove(Item(-1, hash: 0))
        #expect(table.count == model.count)
    }
}
