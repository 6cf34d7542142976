internal import Foundation

/// A random number generator that repeats itself: the seed is printed, and `MQTTXX_SEED` sets it.
package struct SeededGenerator: RandomNumberGenerator {
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// SplitMix64.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A generator for one test, whose seed is printed.
    package static func announced(_ test: String) -> SeededGenerator {
        let seed =
            ProcessInfo.processInfo.environment["MQTTXX_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
        print("\(test): MQTTXX_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }
}
