/// The members of an envelope that mean something, and all others.
enum MemberName: Equatable {
    case type, requestID, method, params, replyTo, callerID, result, error, extensions
    case other(String)

    /// From a key's unescaped UTF-8 bytes; no string is made for the known ones.
    init(_ key: UnsafeRawBufferPointer) {
        switch key.count {
        case 1 where Self.equal(key, "x"): self = .extensions
        case 4 where Self.equal(key, "type"): self = .type
        case 5 where Self.equal(key, "error"): self = .error
        case 6 where Self.equal(key, "method"): self = .method
        case 6 where Self.equal(key, "params"): self = .params
        case 6 where Self.equal(key, "result"): self = .result
        case 8 where Self.equal(key, "reply_to"): self = .replyTo
        case 9 where Self.equal(key, "caller_id"): self = .callerID
        case 10 where Self.equal(key, "request_id"): self = .requestID
        default: self = .other(String(decoding: key, as: UTF8.self))
        }
    }

    init(_ key: String) {
        var key = key
        self = key.withUTF8 { MemberName(UnsafeRawBufferPointer($0)) }
    }

    /// Of as many bytes: the first and the last eight or four, which may overlap.
    @inline(__always)
    private static func equal(_ key: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        let name = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        return switch name.count {
        case 8...16: equal(key, name, 0, UInt64.self) && equal(key, name, name.count - 8, UInt64.self)
        case 4..<8: equal(key, name, 0, UInt32.self) && equal(key, name, name.count - 4, UInt32.self)
        default: key.elementsEqual(name)
        }
    }

    @inline(__always)
    private static func equal<Word: FixedWidthInteger & BitwiseCopyable>(
        _ key: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer, _ offset: Int, _ word: Word.Type
    ) -> Bool {
        key.loadUnaligned(fromByteOffset: offset, as: word) == name.loadUnaligned(fromByteOffset: offset, as: word)
    }
}
