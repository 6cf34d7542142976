internal import NIOCore

/// A name and a value, chosen by the application; names may repeat and keep their order (section 2.2.2.2).
public struct UserProperty: Sendable, Hashable {
    /// At most 65,535 bytes of UTF-8.
    public var name: String
    /// At most 65,535 bytes of UTF-8.
    public var value: String

    /// A name and its value.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// User properties: as they were set, or as they came, of which no strings are made before somebody asks for them.
struct UserProperties: Sendable {
    private enum Form {
        case values([UserProperty])
        /// Bytes as they are in a packet, each with its identifier before it, that have been checked.
        case encoded(ByteBuffer)
    }

    private var form: Form

    init(_ values: [UserProperty] = []) { form = .values(values) }

    var isEmpty: Bool {
        switch form {
        case .values(let values): values.isEmpty
        case .encoded(let bytes): bytes.readableBytes == 0
        }
    }

    var array: [UserProperty] {
        switch form {
        case .values(let values): return values
        case .encoded:
            var values: [UserProperty] = []
            forEach { values.append(UserProperty(String(checked: $0), String(checked: $1))) }
            return values
        }
    }

    /// As they are in a packet, if they came in one.
    var encoded: ByteBuffer? {
        guard case .encoded(let bytes) = form else { return nil }
        return bytes
    }

    /// The first value of that name.
    func first(_ name: String) -> String? {
        switch form {
        case .values(let values):
            return values.first { $0.name.hasSameBytes(as: name) }?.value
        case .encoded(let bytes):
            return name.withBytes { wanted in
                bytes.withUnsafeReadableBytes { bytes in
                    var place = EncodedUserProperty(at: 0, in: bytes)
                    while let property = place {
                        if property.name.isEqual(to: wanted) { return String(checked: property.value) }
                        place = EncodedUserProperty(at: property.end, in: bytes)
                    }
                    return nil
                }
            }
        }
    }

    /// Names and values as UTF-8.
    func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        switch form {
        case .values(let values):
            for property in values {
                property.name.withBytes { name in property.value.withBytes { body(name, $0) } }
            }
        case .encoded(let bytes):
            bytes.withUnsafeReadableBytes { bytes in
                var place = EncodedUserProperty(at: 0, in: bytes)
                while let property = place {
                    body(property.name, property.value)
                    place = EncodedUserProperty(at: property.end, in: bytes)
                }
            }
        }
    }

    mutating func append(_ property: UserProperty) {
        var values = array
        form = .values([])
        values.append(property)
        form = .values(values)
    }

    /// Adds properties as they are in a packet, which have been checked.
    mutating func append(encoded bytes: ByteBuffer) {
        switch form {
        case .values(let values):
            // A packet's are all of one form.
            form = .encoded(bytes)
            if !values.isEmpty { form = .values(values + array) }
        case .encoded(var present):
            form = .values([])
            present.writeImmutableBuffer(bytes)
            form = .encoded(present)
        }
    }

    /// In memory of its own.
    func unshared() -> UserProperties {
        guard case .encoded(let bytes) = form else { return self }
        var copy = self
        copy.form = .encoded(bytes.unshared())
        return copy
    }
}

extension UserProperties: Equatable {
    static func == (lhs: Self, rhs: Self) -> Bool {
        switch (lhs.form, rhs.form) {
        case (.encoded(let left), .encoded(let right)): left == right
        default:
            lhs.array.elementsEqual(rhs.array) {
                $0.name.hasSameBytes(as: $1.name) && $0.value.hasSameBytes(as: $1.value)
            }
        }
    }
}

/// A user property among bytes that have been checked: its identifier, and name and value with their lengths.
private struct EncodedUserProperty {
    let name: UnsafeRawBufferPointer
    let value: UnsafeRawBufferPointer
    let end: Int

    /// - Returns: nil past the last.
    @inline(__always)
    init?(at start: Int, in bytes: UnsafeRawBufferPointer) {
        guard let name = Self.text(at: start + 1, in: bytes), let value = Self.text(at: name.upperBound, in: bytes)
        else { return nil }
        self.name = UnsafeRawBufferPointer(rebasing: bytes[name])
        self.value = UnsafeRawBufferPointer(rebasing: bytes[value])
        end = value.upperBound
    }

    @inline(__always)
    private static func text(at start: Int, in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        guard start + 2 <= bytes.count else { return nil }
        let length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt16.self)))
        guard start + 2 + length <= bytes.count else { return nil }
        return start + 2..<start + 2 + length
    }
}

extension String {
    /// Of bytes that are known to be UTF-8.
    fileprivate init(checked bytes: UnsafeRawBufferPointer) {
        self.init(decoding: bytes.assumingMemoryBound(to: UInt8.self), as: UTF8.self)
    }
}
