/// Subscription identifiers in their order. One, as nearly always, takes no memory of its own.
struct SubscriptionIdentifiers: Equatable, Sendable {
    /// 0, which no identifier is, for none.
    private var first: UInt32
    private var others: [UInt32]

    init(_ identifiers: [UInt32] = []) {
        first = identifiers.first ?? 0
        // 0 can't be sent; it is kept all the same, so that it is refused.
        others = first == 0 ? identifiers : Array(identifiers.dropFirst())
    }

    var isEmpty: Bool { first == 0 && others.isEmpty }

    var count: Int { (first == 0 ? 0 : 1) + others.count }

    var array: [UInt32] { first == 0 ? others : [first] + others }

    mutating func append(_ identifier: UInt32) {
        if isEmpty, identifier != 0 { first = identifier } else { others.append(identifier) }
    }

    @inline(__always)
    func forEach<Failure>(_ body: (UInt32) throws(Failure) -> Void) throws(Failure) {
        if first != 0 { try body(first) }
        for other in others { try body(other) }
    }

    func contains(_ identifier: UInt32) -> Bool {
        (first == identifier && first != 0) || others.contains(identifier)
    }
}
