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
