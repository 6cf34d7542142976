import MQTTXProtocol
import TestSupport

/// Random values of every kind, small and with the edges likely.
struct RandomJSON {
    var generator: SeededGenerator
    let allowsBinary: Bool

    init(seed: UInt64, allowsBinary: Bool) {
        generator = SeededGenerator(seed: seed)
        self.allowsBinary = allowsBinary
    }

    mutating func value(depth: Int = 0) -> JSONValue {
        switch Int.random(in: 0..<(depth < 5 ? 10 : 7), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .int(integer())
        case 3: return .double(double())
        case 4: return .bigInt(String(UInt64.random(in: (1 << 63)...UInt64.max, using: &generator)))
        case 5: return .string(string())
        case 6:
            guard allowsBinary else { return .string(string()) }
            return .binary((0..<Int.random(in: 0..<300, using: &generator)).map { UInt8(truncatingIfNeeded: $0) })
        case 7, 8: return .array((0..<count()).map { _ in value(depth: depth + 1) })
        default:
            var object = JSONObject()
            for _ in 0..<count() { object[string()] = value(depth: depth + 1) }
            return .object(object)
        }
    }

    private mutating func count() -> Int { Int.random(in: 0..<20, using: &generator) }

    private mutating func integer() -> Int64 {
        let edges: [Int64] = [0, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, .max, .min, 999_999_999_999_999_999]
        if Bool.random(using: &generator) { return edges.randomElement(using: &generator) ?? 0 }
        return Int64.random(in: .min ... .max, using: &generator) >> Int64.random(in: 0..<63, using: &generator)
    }

    private mutating func double() -> Double {
        while true {
            let value = Double(bitPattern: generator.next())
            if value.isFinite { return value }
        }
    }

    private mutating func string() -> String {
        let alphabet: [Character] = [
            "a", "Z", "\"", "\\", "/", "\n", "\r\n", "\t", "\u{0}", "\u{1F}", "\u{7F}", "é", "方", "😀", "\u{FFFD}",
            "\u{2028}", " ", "x",
        ]
        return String(
            (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? "a"
            })
    }
}
