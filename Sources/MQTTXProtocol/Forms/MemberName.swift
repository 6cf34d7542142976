/// The members of an envelope that mean something, and all others.
enum MemberName: Equatable {
    case type, requestID, method, params, replyTo, callerID, result, error, extensions
    case other(String)

    /// From a key's unescaped UTF-8 bytes; no string is made for the known ones.
    init(_ key: UnsafeRawBufferPointer) {
        let known: (StaticString, MemberName)? =
            switch key.count {
            case 1: ("x", .extensions)
            case 4: ("type", .type)
            case 5: ("error", .error)
            case 6:
                switch key[0] {
                case UInt8(ascii: "m"): ("method", .method)
                case UInt8(ascii: "p"): ("params", .params)
                default: ("result", .result)
                }
            case 8: ("reply_to", .replyTo)
            case 9: ("caller_id", .callerID)
            case 10: ("request_id", .requestID)
            default: nil
            }
        if let (name, member) = known, Self.equal(key, name) {
            self = member
        } else {
            self = .other(String(decoding: key, as: UTF8.self))
        }
    }

    init(_ key: String) {
        var key = key
        self = key.withUTF8 { MemberName(UnsafeRawBufferPointer($0)) }
    }

    @inline(__always)
    private static func equal(_ key: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        for index in 0..<key.count where key[index] != name.utf8Start[index] { return false }
        return true
    }
}
