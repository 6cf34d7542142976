import NIOCore
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
            order.append(Int64(call.id.string) ?? -1)
            heap.removeFirst()
        }
        #expect(order == wanted.sorted())
    }
}

@Suite(.timeLimit(.minutes(2))) struct ReplayCacheTests {
    private func key(_ id: Int) -> ReplayCache.Key { ReplayCache.Key(requestID: "\(id)", replyTo: "r") }

    private func answer(_ text: String) -> ReplayCache.Answer {
        ReplayCache.Answer(payload: ByteBuffer(string: text), properties: Properties())
    }

    private func text(_ finding: ReplayCache.Finding) -> String {
        switch finding {
        case .new: "new"
        case .running: "running"
        case .forgotten: "forgotten"
        case .answered(let answer): String(buffer: answer.payload)
        }
    }

    private let start = NIODeadline.uptimeNanoseconds(1_000)

    @Test("A request is new, then running, then answered, and new again when its time is over")
    func life() {
        var cache = ReplayCache(RPCConfig())
        #expect(text(cache.find(key(1), now: start)) == "new")
        cache.begin(key(1))
        #expect(text(cache.find(key(1), now: start)) == "running")
        cache.end(key(1), answer("yes"), now: start)
        #expect(text(cache.find(key(1), now: start + .seconds(599))) == "yes")
        #expect(text(cache.find(key(1), now: start + .seconds(600))) == "new")
        #expect(cache.bytes == 0)
    }

    @Test("What was not answered is forgotten at once")
    func unanswered() {
        var cache = ReplayCache(RPCConfig())
        cache.begin(key(1))
        cache.end(key(1), nil, now: start)
        #expect(text(cache.find(key(1), now: start)) == "new")
    }

    @Test("The oldest give way when there are too many, in number or in bytes")
    func bounds() {
        var config = RPCConfig()
        config.replayCacheCount = 3
        var cache = ReplayCache(config)
        for id in 1...5 { cache.end(key(id), answer("\(id)"), now: start) }
        #expect((1...5).map { text(cache.find(key($0), now: start)) } == ["new", "new", "3", "4", "5"])
        config.replayCacheCount = 1_000
        config.replayCacheBytes = 64 * 1024
        cache = ReplayCache(config)
        for id in 1...1_000 { cache.end(key(id), answer(String(repeating: "x", count: 1_000)), now: start) }
        #expect(cache.bytes <= 64 * 1024)
        #expect(cache.count < 100)
        cache.end(key(0), answer(String(repeating: "x", count: 100_000)), now: start)
        #expect(text(cache.find(key(0), now: start)) == "forgotten")
        #expect(cache.count > 10)
    }
}
