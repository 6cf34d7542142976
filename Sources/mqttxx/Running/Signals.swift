import Dispatch
import Foundation
import UnixSignals

/// Runs the body until it ends, or until SIGINT or SIGTERM asks it to: then it is cancelled, and awaited while it says
/// goodbye to the broker.
///
/// - Parameters:
///   - patience: how long the body may take for that, in seconds; then the process ends all the same.
///   - lastStatus: the exit status of a process that ends like this; nil for that of one which the signal ends.
/// - Throws: what the body throws; ``Interruption`` after a signal.
func endingOnSignals(
    patience: Double = 3, lastStatus: Int32? = nil, _ body: @escaping @Sendable () async throws -> Void
) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await body() }
        group.addTask {
            for await signal in signals {
                endAnyway(after: patience, status: lastStatus ?? 128 + signal.rawValue)
                throw Interruption(signal: signal.rawValue)
            }
            // Cancelled: the body has ended.
            try await Task.sleep(for: .seconds(3_600))
        }
        defer { group.cancelAll() }
        do {
            try await group.next()
        } catch let interruption as Interruption {
            group.cancelAll()
            while await group.nextResult() != nil {}
            throw interruption
        }
    }
}

/// What does not end when asked is left to itself: after a while, or at a second signal.
private func endAnyway(after seconds: Double, status: Int32) {
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { _exit(status) }
}

/// Runs the body for so many seconds at most; nil sets no limit.
///
/// - Throws: ``TimeRanOut``, and what the body throws.
func endingAfter<Result: Sendable>(
    _ seconds: Double?, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    guard let seconds else { return try await body() }
    return try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .seconds(seconds))
            throw TimeRanOut()
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}
