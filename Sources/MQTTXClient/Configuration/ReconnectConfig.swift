/// What happens when the connection is lost: exponential back-off with full jitter.
public struct ReconnectConfig: Sendable, Hashable {
    /// Whether the client reconnects at all.
    public var enabled: Bool
    /// The longest wait before the first attempt; each wait is drawn between zero and the present limit.
    public var interval: Duration
    /// How many attempts in a row may fail; 0 sets no limit.
    public var maxAttempts: Int
    /// By how much the limit grows with each attempt; at least 1.
    public var backoffMultiplier: Double
    /// The limit of the limit.
    public var maxInterval: Duration
    /// How long a connection must have held for the limit to start anew.
    public var stableAfter: Duration

    /// - Parameters:
    ///   - enabled: whether the client reconnects at all.
    ///   - interval: the longest wait before the first attempt.
    ///   - maxAttempts: how many attempts in a row may fail; 0 sets no limit.
    ///   - backoffMultiplier: by how much the limit grows with each attempt.
    ///   - maxInterval: the limit of the limit.
    public init(
        enabled: Bool = true, interval: Duration = .seconds(5), maxAttempts: Int = 0, backoffMultiplier: Double = 1.5,
        maxInterval: Duration = .seconds(60)
    ) {
        self.enabled = enabled
        self.interval = interval
        self.maxAttempts = maxAttempts
        self.backoffMultiplier = backoffMultiplier
        self.maxInterval = maxInterval
        stableAfter = .seconds(5)
    }

    /// The wait before attempt number `attempt` (0 is the first): somewhere between zero and the limit.
    func delay(attempt: Int, random: Double) -> Duration {
        let growth = Double.pow(max(1, backoffMultiplier), min(attempt, 1_000))
        let limit = min(interval.inSeconds * growth, maxInterval.inSeconds)
        return .seconds(max(0, limit) * random)
    }
}

extension Double {
    fileprivate static func pow(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<exponent where result < 1e12 { result *= base }
        return result
    }
}

extension Duration {
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
