/// Words for what went wrong in coding, and the numbers that need care.
enum CodingText {
    /// A `Float` in as few digits as it takes: 0.1, not 0.10000000149011612.
    static func number(_ value: Float) -> JSONValue {
        .double(value.isFinite ? Double(value.description) ?? Double(value) : Double(value))
    }

    static func path(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "the value" : path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }

    static func describe(_ error: EncodingError) -> String {
        switch error {
        case .invalidValue(_, let context): "\(path(context.codingPath)): \(context.debugDescription)"
        @unknown default: String(describing: error)
        }
    }

    static func describe(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context): "\(path(context.codingPath + [key])) is missing"
        case .valueNotFound(let type, let context): "\(path(context.codingPath)) is null, not \(type)"
        case .typeMismatch(_, let context), .dataCorrupted(let context):
            "\(path(context.codingPath)): \(context.debugDescription)"
        @unknown default: String(describing: error)
        }
    }
}
