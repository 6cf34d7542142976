extension JSONValue: Codable {
    /// Whatever the decoder holds.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .int(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .bigInt(String(value))
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(JSONObject(try container.decode([String: JSONValue].self)))
        }
    }

    /// As the same value; bytes as Base64, integers beyond 64 bits rounded.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let object):
            var container = encoder.container(keyedBy: AnyCodingKey.self)
            for entry in object { try container.encode(entry.value, forKey: AnyCodingKey(entry.key)) }
            return
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(element) }
            return
        default:
            break
        }
        var container = encoder.singleValueContainer()
        switch self {
        case .bool(let value): try container.encode(value)
        case .int(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .bigInt(let digits):
            // No encoder takes digits: what fits 64 bits stays exact, the rest is rounded.
            if let value = UInt64(digits) {
                try container.encode(value)
            } else {
                try container.encode(Double(digits) ?? .nan)
            }
        case .string(let value): try container.encode(value)
        case .binary(let bytes): try container.encode(Base64.encode(bytes))
        case .null, .array, .object: try container.encodeNil()
        }
    }
}

/// A key that is any text or number.
struct AnyCodingKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(stringValue: String) { self.init(stringValue) }

    init(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }
}
