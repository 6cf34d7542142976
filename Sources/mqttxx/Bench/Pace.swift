import Synchronization

/// Hands out so many tickets, to any number of tasks.
final class TicketCounter: Sendable {
    private let taken = Atomic<Int>(0)
    private let total: Int

    init(_ total: Int) { self.total = total }

    func next() -> Int? {
        let ticket = taken.add(1, ordering: .relaxed).oldValue
        return ticket < total ? ticket : nil
    }
}

/// When each message is due, at a fixed rate.
struct Pace: Sendable {
    private let start = ContinuousClock.now
    private let rate: Int?

    init(rate: Int?) { self.rate = rate }

    /// Whether there is anything to wait for: asked first, since waiting costs, even for nothing.
    var isSet: Bool { rate != nil }

    func wait(for number: Int) async throws {
        guard let rate else { return }
        let due = start + .seconds(Double(number) / Double(rate))
        if due > .now { try await Task.sleep(until: due, clock: .continuous) }
    }
}
