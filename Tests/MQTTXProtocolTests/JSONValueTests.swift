import Foundation
import MQTTCore
import MQTTXProtocol
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(2))) struct JSONValueTests {
    @Test("Literals and subscripts read as in Python")
    func literals() {
        var value: JSONValue = ["status": "online", "cpu": [45.2, 12], "ok": true, "none": nil]
        #expect(value["status"].stringValue == "online")
        #expect(value["cpu"][0].doubleValue == 45.2)
        #expect(value["cpu"][1].intValue == 12)
        #expect(value["cpu"][1].doubleValue == 12)
        #expect(value["cpu"][2].isNull && value["missing"]["deeper"][7].isNull && value["none"].isNull)
        value["cpu"][0] = 1
        value["new"]["nested"] = "x"
        #expect(value.description == #"{"status":"online","cpu":[1,12],"ok":true,"none":null,"new":{"nested":"x"}}"#)
    }

    @Test("Negative positions, and positions past the end, are null")
    func outside() {
        var value: JSONValue = [1, 2]
        value[5] = 3
        value[-1] = 3
        #expect(value == [1, 2] && value[-1].isNull)
    }

    @Test("Objects keep their order, and are equal in any order", arguments: [3, 100])
    func objects(count: Int) {
        var object = JSONObject()
        for number in 0..<count { object["k\(number)"] = .int(Int64(number)) }
        var reversed = JSONObject()
        for entry in object.reversed() { reversed[entry.key] = entry.value }
        #expect(object.keys == (0..<count).map { "k\($0)" })
        #expect(object == reversed && object.hashValue == reversed.hashValue)
        #expect(object.removeValue(forKey: "k1") == 1)
        #expect(object["k1"] == nil && object["k2"] == 2 && object.count == count - 1 && object != reversed)
        object["k2"] = 7
        object["k0"] = nil
        #expect(object.first?.value == 7)
    }

    @Test("Codable types go to values and back")
    func codable() throws {
        let sample = Sample()
        let value = try JSONValue(encoding: sample)
        #expect(value["name"] == "é" && value["ratio"] == 0.1 && value["big"] == .bigInt("18446744073709551615"))
        #expect(
            value["data"] == .binary([1, 2]) && value["bytes"] == [1, 2] && value["url"] == "https://example.org/a")
        #expect(value["optional"].isNull && value["nested"][0]["x"] == 1 && value["price"] == 1.25)
        #expect(try value.decode(as: Sample.self) == sample)
        // Through JSON, where bytes are Base64 text.
        #expect(try JSONValue(jsonBytes: value.jsonBytes()).decode(as: Sample.self) == sample)
        // Through MessagePack, where [UInt8] is bin as well.
        let packed = try MessagePackCodec().encode(sample)
        #expect(try MessagePackCodec().decode(packed)["bytes"] == .binary([1, 2]))
        #expect(try MessagePackCodec().decode(Sample.self, from: packed) == sample)
    }

    @Test("Foundation's coders agree with ours")
    func foundation() throws {
        let sample = Sample()
        let theirs = try JSONValue(jsonBytes: ByteBuffer(bytes: JSONEncoder().encode(sample)))
        #expect(try theirs.decode(as: Sample.self) == sample)
        let ours = try JSONCodec().encode(sample)
        #expect(try JSONDecoder().decode(Sample.self, from: Data(ours.readableBytesView)) == sample)
        let dynamic: JSONValue = ["a": [1, 2.5, nil, true, "x", .bigInt("18446744073709551615")]]
        #expect(try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(dynamic)) == dynamic)
        #expect(try dynamic.decode(as: JSONValue.self) == dynamic)
        #expect(try JSONValue(encoding: dynamic) == dynamic)
    }

    @Test("Containers that stay open while others are written, classes and enums encode as Foundation encodes them")
    func awkward() throws {
        let ours = try JSONValue(encoding: Awkward())
        let theirs = try JSONValue(jsonBytes: ByteBuffer(bytes: JSONEncoder().encode(Awkward())))
        #expect(ours == theirs)
        let cases: [Choice] = [.none, .one(1), .two(a: "x", b: [true])]
        #expect(try JSONValue(encoding: cases).decode(as: [Choice].self) == cases)
        let derived = try JSONValue(encoding: Derived())
        #expect(derived == ["super": ["base": 1], "derived": 2])
        #expect(try derived.decode(as: Derived.self).base == 1)
    }

    @Test("A value that does not fit names the member")
    func mismatch() throws {
        let value: JSONValue = ["nested": [["x": "one"]]]
        #expect {
            _ = try value.decode(as: Holder.self)
        } throws: { error in
            guard let error = error as? MQTTXError else { return false }
            return error.code == .decodingFailed && error.message.hasPrefix("nested.0.x")
                && error.cause is DecodingError
        }
        #expect {
            _ = try JSONValue.object([:]).decode(as: Holder.self)
        } throws: { error in
            (error as? MQTTXError)?.message == "nested is missing"
        }
        #expect(code { _ = try JSONValue.int(256).decode(as: UInt8.self) } == .decodingFailed)
        #expect(code { _ = try JSONValue.double(1.5).decode(as: Int.self) } == .decodingFailed)
        #expect(code { _ = try JSONValue.double(.nan).decode(as: Int.self) } == .decodingFailed)
        #expect(try JSONValue.double(2).decode(as: Int.self) == 2)
        #expect(try JSONValue.null.decode(as: Int?.self) == nil)
        #expect(code { _ = try JSONValue(encoding: Throwing()) } == .encodingFailed)
    }
}

private struct Sample: Codable, Equatable {
    var name = "é"
    var ratio: Float = 0.1
    var big = UInt64.max
    var data = Data([1, 2])
    var buffer = ByteBuffer(bytes: [3])
    var bytes: [UInt8] = [1, 2]
    var url = URL(string: "https://example.org/a")
    var price = Decimal(string: "1.25")
    var optional: Int?
    var nested = [["x": 1]]
    var date = Date(timeIntervalSinceReferenceDate: 5.5)
    var id = UUID()
}

private struct Holder: Codable {
    var nested: [[String: Int]]
}

private enum Choice: Codable, Equatable {
    case none, one(Int), two(a: String, b: [Bool])
}

private class Base: Codable {
    var base = 1
}

private final class Derived: Base {
    var derived = 2
    private enum Keys: CodingKey { case derived, `super` }

    override init() { super.init() }

    required init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        derived = try container.decode(Int.self, forKey: .derived)
        try super.init(from: container.superDecoder())
    }

    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(derived, forKey: .derived)
        try super.encode(to: container.superEncoder())
    }
}

private struct Awkward: Encodable {
    private enum Keys: CodingKey { case a, b, c, d }

    func encode(to encoder: any Encoder) throws {
        var outer = encoder.container(keyedBy: Keys.self)
        var inner = outer.nestedContainer(keyedBy: Keys.self, forKey: .a)
        var list = outer.nestedUnkeyedContainer(forKey: .b)
        try outer.encode(Int8(-1), forKey: .c)
        try inner.encode(1, forKey: .a)
        try list.encode("x")
        var deeper = list.nestedUnkeyedContainer()
        var again = encoder.container(keyedBy: Keys.self)
        try again.encodeNil(forKey: .d)
        try deeper.encode(Int64.max)
        try list.encodeNil()
        try inner.encode([1: "one"], forKey: .b)
    }
}

private struct Throwing: Encodable {
    func encode(to encoder: any Encoder) throws { throw CancellationError() }
}
