import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Random words from the system, fetched many at a time: a system call for each word costs more than a whole envelope.
struct RandomPool {
    static let shared = Mutex(RandomPool())

    private var words = [UInt64](repeating: 0, count: 32)
    private var used = 32

    mutating func take() -> (high: UInt64, low: UInt64) {
        if used == words.count {
            Self.fill(&words)
            used = 0
        }
        used += 2
        return (words[used - 2], words[used - 1])
    }

    private static func fill(_ words: inout [UInt64]) {
        #if canImport(Glibc)
            // Gives up to 256 bytes, whole or not at all.
            let filled = words.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { getentropy($0, bytes.count) } == 0
            }
            if filled { return }
        #endif
        var generator = SystemRandomNumberGenerator()
        for index in words.indices { words[index] = generator.next() }
    }
}
