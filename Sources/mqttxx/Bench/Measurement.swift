import Foundation
import MQTTX

/// What one run has cost, from its start until now.
struct Measurement {
    private let start = ContinuousClock.now
    private let cpuStart = Self.processorMicroseconds

    /// The result as one JSON object.
    ///
    /// - Parameters:
    ///   - began: when the first message came, where waiting for it should not count.
    ///   - extra: what this benchmark measures beside.
    func result(
        _ bench: String, messages: Int, began: ContinuousClock.Instant? = nil, extra: JSONObject = [:]
    ) -> JSONObject {
        let seconds = (began ?? start).duration(to: .now).inSeconds
        let cpu = Self.processorMicroseconds - cpuStart
        var result: JSONObject = [
            "bench": .string(bench),
            "messages": .int(Int64(messages)),
            "seconds": .double(Self.rounded(seconds, 1e6)),
            "rate_per_s": .double(Self.rounded(seconds > 0 ? Double(messages) / seconds : 0, 10)),
            "cpu_us_per_message": .double(Self.rounded(messages > 0 ? cpu / Double(messages) : 0, 1_000)),
            "peak_rss_mib": .double(Self.rounded(Self.peakMebibytes, 100)),
        ]
        for entry in extra { result[entry.key] = entry.value }
        return result
    }

    private static func rounded(_ value: Double, _ factor: Double) -> Double { (value * factor).rounded() / factor }

    private static var usage: rusage {
        var usage = rusage()
        #if os(Linux)
            getrusage(RUSAGE_SELF.rawValue, &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        return usage
    }

    private static var processorMicroseconds: Double {
        let usage = usage
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    private static var peakMebibytes: Double {
        #if os(Linux)
            Double(usage.ru_maxrss) / 1_024
        #else
            Double(usage.ru_maxrss) / 1_048_576
        #endif
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
    var inMicroseconds: UInt64 {
        UInt64(max(0, components.seconds)) * 1_000_000 + UInt64(max(0, components.attoseconds) / 1_000_000_000_000)
    }
}
