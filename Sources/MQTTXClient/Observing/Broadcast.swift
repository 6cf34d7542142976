internal import Synchronization

/// Hands values to any number of streams, each with a bounded buffer of its own.
final class Broadcast<Element: Sendable>: Sendable {
    private struct State {
        var continuations: [Int: AsyncStream<Element>.Continuation] = [:]
        var nextID = 0
    }

    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    /// - Parameter initial: what the stream begins with, asked for when later values can't be missed any more.
    func stream(startingWith initial: (() -> Element)? = nil) -> AsyncStream<Element> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Element.self, bufferingPolicy: .bufferingNewest(capacity))
        let id = state.withLock { state in
            state.nextID += 1
            state.continuations[state.nextID] = continuation
            return state.nextID
        }
        if let initial { continuation.yield(initial()) }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.continuations.removeValue(forKey: id) }
        }
        return stream
    }

    /// - Returns: how many streams had to drop a value for this one.
    @discardableResult
    func yield(_ element: Element) -> Int {
        let continuations = state.withLock { Array($0.continuations.values) }
        var dropped = 0
        for continuation in continuations {
            if case .dropped = continuation.yield(element) { dropped += 1 }
        }
        return dropped
    }
}
