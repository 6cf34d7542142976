import Testing

@testable import MQTTXClient

@Suite("After how many tasks of a round what they have sent goes out")
struct FlushRhythmTests {
    private var rhythm = FlushRhythm()
    private var now = ContinuousClock.now

    /// A round of tasks, so long after the one before.
    private mutating func round(of count: Int, after pause: Duration, others: Int = 0) -> Int {
        now += pause
        rhythm.readBegins(at: now)
        let share = rhythm.share(of: count, others: others)
        rhythm.turnEnded(at: now)
        return share
    }

    @Test(
        "Halves at first, then more in one write as long as the event loop does not wait, and halves again once it has")
    mutating func sharing() {
        #expect(round(of: 64, after: .zero) == 32)
        let growing = (0..<40).map { _ in round(of: 64, after: .microseconds(5)) }
        #expect(growing == growing.sorted() && growing.first == 33 && growing.last == 64)
        #expect(round(of: 40, after: .zero) == 40)
        #expect(round(of: 20, after: .milliseconds(1)) == FlushRhythm.smallest)
        #expect(round(of: 64, after: .milliseconds(1)) == 32)
        #expect(round(of: 64, after: .microseconds(5)) == 33)
    }

    @Test("A round is not divided while the broker has half as much to do already, and nothing is learnt from that")
    mutating func busy() {
        #expect(round(of: 64, after: .milliseconds(1), others: 31) == 32)
        for _ in 0..<10 { #expect(round(of: 64, after: .milliseconds(1), others: 32) == 64) }
        #expect(round(of: 30, after: .milliseconds(1), others: 15) >= 30)
        #expect(round(of: 64, after: .milliseconds(1)) == 32)
    }

    @Test("Few leave together, and of many never too many", arguments: [1, 16, 32, 33, 200, 60_000])
    mutating func bounds(count: Int) {
        for pause in [Duration.milliseconds(1), .zero, .zero] {
            let share = round(of: count, after: pause)
            #expect((FlushRhythm.smallest...FlushRhythm.largest).contains(share))
            if count <= FlushRhythm.smallest { #expect(share == FlushRhythm.smallest) }
        }
    }
}
