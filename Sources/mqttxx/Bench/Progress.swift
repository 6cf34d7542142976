import Synchronization

/// How far a benchmark has come; said once a second to whoever looks at standard error.
final class Progress: Sendable {
    private let done = Atomic<Int>(0)

    var count: Int { done.load(ordering: .relaxed) }

    /// Hands out the numbers below `total`, each once, to any number of tasks; nil when they have all been taken.
    func next(of total: Int) -> Int? {
        let number = done.add(1, ordering: .relaxed).oldValue
        return number < total ? number : nil
    }

    /// - Returns: the count with this one.
    @discardableResult
    func add() -> Int { done.add(1, ordering: .relaxed).newValue }

    /// Runs the body while progress is told.
    func telling<Result>(of total: Int, _ body: () async throws -> Result) async throws -> Result {
        guard StandardError.isTerminal else { return try await body() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var last = 0
                while true {
                    try await Task.sleep(for: .seconds(1))
                    let count = min(self.count, total)
                    StandardError.progress("\(count) of \(total), \(count - last) in the last second")
                    last = count
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }
}
