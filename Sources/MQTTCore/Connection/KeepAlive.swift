/// The client's side of keep alive (section 3.1.2.10): when to ping, and when the peer counts as gone.
///
/// A ping goes out once in each interval, whatever else is sent: it keeps the server from closing, and its answer finds a
/// link that is open at this end only. Any byte that comes counts as life.
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
    private var lastPing: ContinuousClock.Instant
    /// Since when a ping waits for an answer.
    private var unansweredSince: ContinuousClock.Instant?
    private var isReading = true

    /// - Parameters:
    ///   - interval: the keep alive in use; zero switches pings off.
    ///   - timeout: how long an answer to a ping may take.
    package init(interval: Duration, timeout: Duration, now: ContinuousClock.Instant) {
        self.interval = interval
        self.timeout = timeout
        lastPing = now
    }

    package mutating func didRead() { unansweredSince = nil }

    /// While we don't read, silence says nothing of the peer: the deadline starts anew when reading goes on.
    package mutating func setReading(_ reading: Bool, now: ContinuousClock.Instant) {
        guard reading != isReading else { return }
        isReading = reading
        if reading, unansweredSince != nil { unansweredSince = now }
    }

    /// What is due now; nil when keep alive is off.
    package mutating func check(now: ContinuousClock.Instant) -> Action? {
        guard interval > .zero else { return nil }
        // Held back from reading, the pings that keep the server content go on, and no answer is missed.
        let deadline = isReading ? unansweredSince.map { $0 + timeout } : nil
        if let deadline, now >= deadline { return .timedOut }
        let due = lastPing + interval
        guard now >= due else { return .wait(until: min(deadline ?? due, due)) }
        lastPing = now
        unansweredSince = unansweredSince ?? now
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
