import Foundation
import MQTTCore
import MQTTXProtocol
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct JSONTests {
    @Test(
        "What JSON says is read as it is meant",
        arguments: [
            ("null", .null), (" true ", true), ("false", false), ("0", 0), ("-0", 0), ("-12", -12),
            ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .bigInt("9223372036854775808")),
            ("123456789012345678901234567890", .bigInt("123456789012345678901234567890")),
            ("1.0", .double(1)), ("1e3", .double(1000)), ("-2.5E-1", .double(-0.25)), ("1e999", .double(.infinity)),
            ("Infinity", .double(.infinity)), ("-Infinity", .double(-.infinity)),
            (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u00e9\u65b9\ud83d\uDE00""#, "é方😀"), ("\"é方😀\u{7F}\"", "é方😀\u{7F}"),
            ("[]", []), ("[1,[2],{}]", [1, [2], [:]]), ("\t{ \"a\" : 1 , \"b\" : [ ] }\r\n", ["a": 1, "b": []]),
            (#"{"\u0061":1}"#, ["a": 1]), (#"{"a":1,"b":2,"a":3}"#, ["a": 3, "b": 2]),
        ] as [(String, JSONValue)])
    func reads(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONValue(jsonText: text) == value)
    }

    @Test("A bare NaN of Python is read")
    func readsNaN() throws {
        #expect(try JSONValue(jsonText: "NaN").doubleValue?.isNaN == true)
        #expect(try JSONValue(jsonText: "[NaN]")[0].doubleValue?.isNaN == true)
    }

    @Test(
        "A lone surrogate becomes U+FFFD",
        arguments: [
            (#""\ud800""#, "\u{FFFD}"), (#""\udc00x""#, "\u{FFFD}x"), (#""\ud800\ud800\udc00""#, "\u{FFFD}\u{10000}"),
            (#""\ud800\n""#, "\u{FFFD}\n"), (#""\ud800A""#, "\u{FFFD}A"),
        ])
    func loneSurrogate(_ text: String, _ expected: String) throws {
        #expect(try JSONValue(jsonText: text).stringValue == expected)
    }

    @Test(
        "What is not JSON is INVALID_JSON",
        arguments: [
            "", " ", "nul", "nulll", "tru", "01", "-", "1.", ".5", "1e", "1e+", "+1", "--1", "-Inf", "[1", "[1,]",
            "[,1]", "[1 2]",
            "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "\"", "\"\\\"", "\"\\", "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"", "\"a\nb\"", "\"\u{0}\"", "1 2", "[]]", "nan", "infinity", "\u{FEFF}1", "0x10", "1_0",
            "/**/1",
        ])
    func rejects(_ text: String) {
        #expect(code { _ = try JSONValue(jsonText: text) } == .invalidJSON)
        // Passed over rather than built, it is found out as well.
        let envelope = ByteBuffer(string: #"{"type":"rpc_request","request_id":"1","method":"m","params":\#(text)}"#)
        let coder = MessageCoder()
        #expect(throws: MQTTXError.self) { _ = try coder.decodeRPC(envelope, Properties()) }
    }

    @Test("The error names the offset")
    func offset() {
        #expect {
            _ = try JSONValue(jsonText: "[1, x]")
        } throws: { error in
            (error as? MQTTXError)?.message.contains("offset 4") == true
        }
    }

    @Test(
        "Bytes that are not UTF-8 are INVALID_UTF8",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xE0, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xC3],
        ] as [[UInt8]])
    func invalidUTF8(_ bytes: [UInt8]) {
        let quote = [UInt8(ascii: "\"")]
        for padding in 0..<9 {
            let text = quote + [UInt8](repeating: 0x61, count: padding) + bytes + quote
            #expect(code { _ = try JSONValue(jsonBytes: ByteBuffer(bytes: text)) } == .invalidUTF8)
        }
    }

    @Test("Nesting is read and written up to 512 levels, and is an error beyond")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        let deepest = try JSONValue(jsonText: nested(512))
        #expect(try deepest.jsonText() == nested(512))
        #expect(code { _ = try JSONValue(jsonText: nested(513)) } == .invalidJSON)
        #expect(code { _ = try JSONValue(jsonText: String(repeating: "[", count: 1_000_000)) } == .invalidJSON)
        #expect(
            code { _ = try JSONValue(jsonText: String(repeating: "{\"a\":", count: 1_000_000)) } == .invalidJSON)
        #expect(code { _ = try JSONValue.array([deepest]).jsonBytes() } == .encodingFailed)
    }

    @Test("NaN and infinities are never written", arguments: [Double.nan, .infinity, -.infinity])
    func neverWritesNaN(_ value: Double) throws {
        #expect(code { _ = try JSONValue.array([.double(value)]).jsonBytes() } == .encodingFailed)
        #expect(!JSONValue.double(value).description.isEmpty)
    }

    @Test("Received params with a NaN can't be sent on as they are")
    func neverSplicesNaN() throws {
        let coder = MessageCoder()
        for token in ["NaN", "[Infinity]", "{\"a\":-Infinity}"] {
            let payload = ByteBuffer(
                string: #"{"type":"rpc_request","request_id":"1","method":"m","params":\#(token)}"#)
            let received = try #require(asRequest(try coder.decodeRPC(payload, Properties()).message))
            #expect(code { _ = try coder.encode(received, as: .envelope) } == .encodingFailed)
        }
    }

    @Test("bigInt holds digits and nothing else", arguments: ["", "-", "1,2", "01", "1e5", "\"", "0x1", " 1"])
    func bigIntIsChecked(_ text: String) {
        #expect(code { _ = try JSONValue.bigInt(text).jsonBytes() } == .encodingFailed)
    }

    @Test("Control characters, quotes and backslashes are escaped, nothing else")
    func escapes() throws {
        let all = String(String.UnicodeScalarView((0..<0x80).compactMap { Unicode.Scalar($0) })) + "é方😀"
        let text = try JSONValue.string(all).jsonText()
        #expect(text.utf8.allSatisfy { $0 >= 0x20 })
        #expect(text.hasSuffix("é方😀\""))
        #expect(try JSONValue(jsonText: text).stringValue == all)
    }

    @Test("Random values survive a round trip, and Foundation reads them alike", arguments: [1, 2, 3, 4] as [UInt64])
    func roundTrip(seed: UInt64) throws {
        print("seed \(seed)")
        var random = RandomJSON(seed: seed, allowsBinary: false)
        for _ in 0..<60 {
            let value = random.value()
            let bytes = try value.jsonBytes()
            #expect(try JSONValue(jsonBytes: bytes) == value)
            let object = try JSONSerialization.jsonObject(
                with: Data(bytes.readableBytesView), options: .fragmentsAllowed)
            let theirs = try JSONSerialization.data(withJSONObject: object, options: .fragmentsAllowed)
            let again = try JSONValue(jsonBytes: ByteBuffer(bytes: theirs))
            #expect(Shape(again) == Shape(value))
        }
    }

    @Test("Bytes of any kind make an error or a value, never a trap", arguments: [11, 12, 13] as [UInt64])
    func fuzz(seed: UInt64) throws {
        print("seed \(seed)")
        var random = RandomJSON(seed: seed, allowsBinary: false)
        var generator = SeededGenerator(seed: seed)
        let coder = MessageCoder()
        for _ in 0..<600 {
            let valid: JSONValue = [
                "type": "rpc_request", "request_id": "1", "method": "m", "params": random.value(depth: 3),
            ]
            var bytes = Array(buffer: try valid.jsonBytes())
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
                case 1:
                    bytes.insert(Array("[]{}\",:\\ue-NIn0".utf8).randomElement(using: &generator) ?? 0, at: position)
                case 2 where bytes.count > 1: bytes.remove(at: position)
                default: bytes = Array(bytes[..<max(position, 1)])
                }
            }
            let buffer = ByteBuffer(bytes: bytes)
            let whole = try? JSONValue(jsonBytes: buffer)
            let message = try? coder.decodeRPC(buffer, Properties())
            // Whatever passes as a message is JSON; skipping must not be laxer than reading.
            if let message, let request = asRequest(message.message) {
                #expect(whole != nil)
                _ = try request.params.json()
            }
        }
    }
}

/// A value without what Foundation does not tell apart: kinds of numbers.
private indirect enum Shape: Equatable {
    case null, bool(Bool), number(Double), string(String), array([Shape]), object([String: Shape])

    init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int, .double, .bigInt: self = .number(value.doubleValue ?? .nan)
        case .string(let value): self = .string(value)
        case .binary: self = .null
        case .array(let array): self = .array(array.map { Shape($0) })
        case .object(let object):
            self = .object(Dictionary(uniqueKeysWithValues: object.map { ($0.key, Shape($0.value)) }))
        }
    }
}
