import Foundation

/// What ping has seen so far.
struct RoundTrips {
    private var times: [Duration] = []
    private var sent = 0

    var received: Int { times.count }

    mutating func add(_ time: Duration?) {
        sent += 1
        if let time { times.append(time) }
    }

    static func milliseconds(_ time: Duration) -> String { String(format: "%.3f", Double(time.inMicroseconds) / 1_000) }

    var summary: String {
        let loss = sent > 0 ? (sent - received) * 100 / sent : 0
        let counts = "\(sent) sent, \(received) received, \(loss)% lost"
        guard let shortest = times.min(), let longest = times.max() else { return counts }
        let mean = times.reduce(.zero, +) / times.count
        return counts + "\nround trip min/avg/max = "
            + [shortest, mean, longest].map(Self.milliseconds).joined(separator: "/") + " ms"
    }
}
