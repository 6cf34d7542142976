import Histogram
import MQTTX

/// How long things took, in microseconds.
struct Latencies: Sendable {
    private var histogram = Histogram<UInt64>(
        highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: .three)

    mutating func record(_ duration: Duration) { histogram.record(min(duration.inMicroseconds, 3_600_000_000)) }

    mutating func add(_ other: Latencies) { histogram.add(other.histogram) }

    var json: JSONObject {
        [
            "p50_us": percentile(50), "p90_us": percentile(90), "p99_us": percentile(99),
            "p999_us": percentile(99.9), "max_us": .int(Int64(histogram.totalCount > 0 ? histogram.max : 0)),
        ]
    }

    private func percentile(_ percentile: Double) -> JSONValue {
        .int(Int64(histogram.totalCount > 0 ? histogram.valueAtPercentile(percentile) : 0))
    }
}
