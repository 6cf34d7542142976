import Foundation

/// A moment on the calendar, in this machine's time zone.
struct WallTime {
    private let moment: timespec

    static func now() -> WallTime {
        var moment = timespec()
        clock_gettime(CLOCK_REALTIME, &moment)
        return WallTime(moment: moment)
    }

    /// `2026-05-06T22:12:00+0100`
    var iso8601: String { formatted("%FT%T%z") }

    /// `2026-05-06T22:12:00.000000+0100`
    var iso8601Microseconds: String {
        formatted("%FT%T") + "." + Self.padded(moment.tv_nsec / 1_000, to: 6) + formatted("%z")
    }

    /// Seconds since 1970 with nanoseconds.
    var seconds: String { "\(moment.tv_sec)." + Self.padded(moment.tv_nsec, to: 9) }

    /// As strftime has it, and `%N` for nanoseconds.
    func formatted(_ format: String) -> String {
        if format == "%N" { return Self.padded(moment.tv_nsec, to: 9) }
        var calendar = tm()
        var time = moment.tv_sec
        localtime_r(&time, &calendar)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
            guard let start = text.baseAddress, strftime(start, text.count, format, &calendar) > 0 else { return "" }
            return String(cString: start)
        }
    }

    private static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
