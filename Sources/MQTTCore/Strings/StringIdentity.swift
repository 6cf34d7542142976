/// Which string in memory it is: topics seen lately are one and the same, and have the same bytes then.
package struct StringIdentity: Equatable {
    private let words: (UInt64, UInt64)

    @inline(__always)
    package init(_ string: borrowing String) { words = unsafeBitCast(copy string, to: (UInt64, UInt64).self) }

    /// For tables in which a collision costs nothing but time.
    @inline(__always)
    package var quickHash: UInt64 { (words.0 ^ words.1) &* 0x9E37_79B9_7F4A_7C15 }

    @inline(__always)
    package static func == (lhs: Self, rhs: Self) -> Bool { lhs.words == rhs.words }
}
