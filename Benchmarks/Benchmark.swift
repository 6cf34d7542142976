/// One hot path, driven with fixed data on one thread, so that two runs execute the same instructions.
struct Benchmark {
    let name: String
    /// Does the operation so many times.
    let run: (_ operations: Int) throws -> Void

    /// - Parameters:
    ///   - name: the layer and what it does, `decode/publish-qos0`.
    ///   - batch: how many operations one call of the body does.
    ///   - body: the operations.
    init(_ name: String, batch: Int = 1, _ body: @escaping () throws -> Void) {
        self.name = name
        run = { operations in
            for _ in 0..<(operations / batch) { try body() }
        }
    }

    /// How long an operation takes: the best of several runs, since noise only ever adds.
    func nanosecondsPerOperation() throws -> Double {
        let clock = ContinuousClock()
        var operations = 1_024
        while try clock.measure({ try run(operations) }) < .milliseconds(20) { operations *= 2 }
        var best = Duration.seconds(3_600)
        for _ in 0..<5 { best = min(best, try clock.measure { try run(operations) }) }
        return best / .nanoseconds(1) / Double(operations)
    }
}

/// Keeps the compiler from leaving out what nobody looks at.
@inline(never)
func keep<T>(_ value: T) {}
