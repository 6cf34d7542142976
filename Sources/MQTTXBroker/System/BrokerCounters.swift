import Synchronization

/// Counted on all event loops.
final class BrokerCounters: Sendable {
    let connections = Atomic<Int>(0)
    let connectionsAccepted = Atomic<Int>(0)
    let connectionsRefused = Atomic<Int>(0)
    let messagesReceived = Atomic<Int>(0)
    let messagesSent = Atomic<Int>(0)
    let messagesDropped = Atomic<Int>(0)
    let bytesReceived = Atomic<Int>(0)
    let bytesSent = Atomic<Int>(0)
    let publishersHeld = Atomic<Int>(0)
    let subscribersStalled = Atomic<Int>(0)
    let violations = Atomic<Int>(0)
}

extension Atomic where Value == Int {
    /// Counts; for numbers that nothing else depends on.
    @inline(__always)
    func count(_ amount: Int = 1) { add(amount, ordering: .relaxed) }

    var value: Int { load(ordering: .relaxed) }
}
