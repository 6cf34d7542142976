/// The client's side of keep alive (section 3.1.2.10): when to ping, and when the peer counts as gone.
///
/// A ping is due when nothing was written, or nothing was read, for the interval: the first keeps the server from
/// closing, the second finds a link that is open at this end only. Any byte that comes counts as life.
package struct KeepAlive: Sendable {
    package enum Action: Sendable, Equatable {
        /// Nothing is due before that moment.
        case wait(until: ContinuousClock.Instant)
        /// Send PINGREQ, then ask again.
        case ping
        /// Nothing came since the ping, for longer than the timeout.
        case timedOut
    }

    private let interval: Duration
    private let timeout: Duration
    private var lastRead: ContinuousClock.Instant
    private var lastWrite: ContinuousClock.Instant
    private var pingedAt: ContinuousClock.Instant?
    private var isReading = true

    /// - Parameters:
    ///   - interval: the keep alive in use; zero switches pings off.
    ///   - timeout: how long an answer to a ping may take.
    package init(interval: Duration, timeout: Duration, now: ContinuousClock.Instant) {
        self.interval = interval
        self.timeout = timeout
        lastRead = now
        lastWrite = now
    }

    package mutating func didRead(now: ContinuousClock.Instant) {
        lastRead = now
        pingedAt = nil
    }

    package mutating func didWrite(now: ContinuousClock.Instant) { lastWrite = now }

    /// While we don't read, silence says nothing of the peer: the deadline starts anew when reading goes on.
    package mutating func setReading(_ reading: Bool, now: ContinuousClock.Instant) {
        guard reading != isReading else { return }
        isReading = reading
        if reading, pingedAt != nil { pingedAt = now }
    }

    /// What is due now; nil when keep alive is off.
    package mutating func check(now: ContinuousClock.Instant) -> Action? {
        guard interval > .zero else { return nil }
        if let pingedAt {
            if isReading, now >= pingedAt + timeout { return .timedOut }
            // Held back from reading, the pings that keep the server content go on.
            let next = lastWrite + interval
            if now >= next {
                lastWrite = now
                return .ping
            }
            return .wait(until: isReading ? min(pingedAt + timeout, next) : next)
        }
        let due = min(lastWrite, isReading ? lastRead : lastWrite) + interval
        guard now >= due else { return .wait(until: due) }
        pingedAt = now
        lastWrite = now
        return .ping
    }
}

/// The server's side of keep alive: a client that sends nothing for one and a half times its keep alive is gone
/// (MQTT-3.1.2-22).
package struct KeepAliveWatch: Sendable {
    private let limit: Duration
    private var lastRead: ContinuousClock.Instant

    /// - Parameter seconds: the keep alive in use; 0 switches the watch off.
    package init(seconds: UInt16, now: ContinuousClock.Instant) {
        limit = .milliseconds(Int64(seconds) * 1500)
        lastRead = now
    }

    package mutating func didRead(now: ContinuousClock.Instant) { lastRead = now }

    /// When to look again; nil when the watch is off or time is up (see ``isExpired(now:)``).
    package var deadline: ContinuousClock.Instant? { limit > .zero ? lastRead + limit : nil }

    package func isExpired(now: ContinuousClock.Instant) -> Bool { limit > .zero && now >= lastRead + limit }
}
