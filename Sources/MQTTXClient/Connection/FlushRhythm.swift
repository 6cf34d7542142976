/// After how many tasks of a round what they have sent goes out: the broker then works while the others run.
///
/// Each write costs, and waking the broker more than the bytes do; waiting for it costs more still. A broker that has half as
/// much of ours already has something to do meanwhile. Otherwise a round leaves in two halves once the event loop has waited,
/// and as long as it never does, more and more of it in one write.
struct FlushRhythm {
    static let smallest = 16
    static let largest = 64
    /// The event loop has waited if nothing ran for so long: a look at its sockets takes a fifth of that.
    static let pause = Duration.microseconds(20)
    /// A round is divided in so many parts.
    private static let parts = 64

    /// How many parts of a round run before a write.
    private var share = FlushRhythm.parts / 2
    private var lastEnd: ContinuousClock.Instant?
    /// Whether the present round is one to learn from.
    private var isDivided = false

    /// A read begins, and what it lets go on is a round of tasks.
    mutating func readBegins(at now: @autoclosure () -> ContinuousClock.Instant = .now) {
        isDivided = false
        guard let lastEnd else { return }
        share = lastEnd.duration(to: now()) > Self.pause ? Self.parts / 2 : min(share + 1, Self.parts)
        self.lastEnd = nil
    }

    /// A round of so many tasks begins: after how many of them to write.
    ///
    /// - Parameter others: how many messages and calls the broker has that these tasks do not wait for.
    mutating func share(of count: Int, others: @autoclosure () -> Int) -> Int {
        // Of few, halves would be too few.
        guard count > Self.smallest else { return Self.smallest }
        guard others() < count / 2 else { return Self.largest }
        isDivided = true
        return min(max(count * share / Self.parts, Self.smallest), Self.largest)
    }

    /// What the tasks of a read have sent is written.
    mutating func turnEnded(at now: @autoclosure () -> ContinuousClock.Instant = .now) {
        guard isDivided else { return }
        lastEnd = now()
        isDivided = false
    }
}
