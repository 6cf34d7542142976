/// Something that this package does, shown and checked by a program that ends by itself.
protocol Example {
    /// What to type after `swift run examples`.
    static var name: String { get }
    /// What it shows, in one line.
    static var summary: String { get }
    static func run(_ broker: BrokerAddress) async throws
}

/// Where the broker is: in this process, unless another was named.
struct BrokerAddress {
    let host: String
    let port: Int
}

/// What an example promised to show and did not.
struct NotShown: Error, CustomStringConvertible {
    let description: String
}

func expect(_ condition: Bool, _ what: String) throws {
    guard condition else { throw NotShown(description: "expected: \(what)") }
}
