/// Variable byte integers (section 1.5.5).
enum VariableByteInteger {
    /// The largest value that fits into four bytes; also the largest remaining length.
    static let maximum = 268_435_455

    /// How many bytes a value takes.
    @inline(__always)
    static func size(of value: Int) -> Int {
        if value < 128 { return 1 }
        if value < 16_384 { return 2 }
        return value < 2_097_152 ? 3 : 4
    }
}
