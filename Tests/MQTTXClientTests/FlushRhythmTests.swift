import Testing

@testable import MQTTXClient

@Suite("After how many tasks of a round what they have sent goes out")
struct FlushRhythmTests {
    private var rhythm = FlushRhythm()
    private var now = ContinuousClock.now

    /// A round of tasks, so long after the one before.
    private mutating func round(of count: Int, after pause: Duration) -> Int {
        now += pause
        rhythm.readBegins(at: now)
        let share = rhythm.share(of: count)
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
        #expect(round(of: 64, after: .milliseconds(1)) == 32)
        #expect(round(of: 64, after: .microseconds(5)) == 33)
    }

    @Test("Few leave together, and of many never too many", arguments: [1, 16, 32, 33, 200, 60_000])
    mutating func bounds(count: Int) {
        for pause in [Duration.milliseconds(1), .zero, .zero] {
            let share = round(of: count, after: pause)
            #expect((FlushRhythm.smallest...FlushRhythm.largest).contains(share))
            if count <= 32 { #expect(share == FlushRhythm.smallest) }
        }
    }
}
