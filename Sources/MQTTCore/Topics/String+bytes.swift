extension String {
    /// The UTF-8 bytes, without a copy for every string that Swift itself made, and without counting a reference.
    @inlinable @inline(__always)
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let result = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return result }
        var copy = self
        return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    /// Equality of the UTF-8 bytes: what MQTT means by equal names (MQTT-4.7.3-4).
    package func hasSameBytes(as other: String) -> Bool {
        StringIdentity(self) == StringIdentity(other)
            || withBytes { own in other.withBytes { own.isEqual(to: $0) } }
    }
}

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

extension UInt8 {
    static let levelSeparator = UInt8(ascii: "/")
    static let singleLevelWildcard = UInt8(ascii: "+")
    static let multiLevelWildcard = UInt8(ascii: "#")
}
