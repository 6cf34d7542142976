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
