/// An object that a ``ChainedTable`` finds by its key.
protocol Chained: AnyObject {
    associatedtype Key: Equatable
    var key: Key { get }
    /// That of the key, random in all its bits.
    var hash: UInt64 { get }
    /// The next one of the same bucket: the table's to set.
    var next: Self? { get set }
}

/// Objects by their keys. They chain themselves: nothing is allocated to add one, and nothing is hashed again to find or
/// remove one, as a dictionary does with the neighbours too.
struct ChainedTable<Element: Chained> {
    private var buckets: [Element?] = Array(repeating: nil, count: 16)
    private(set) var count = 0

    var all: [Element] {
        buckets.flatMap { first in sequence(first: first, next: { $0?.next }).compactMap(\.self) }
    }

    func find(_ key: Element.Key, hash: UInt64) -> Element? {
        var element = buckets[bucket(of: hash)]
        while let candidate = element {
            if candidate.hash == hash, candidate.key == key { return candidate }
            element = candidate.next
        }
        return nil
    }

    /// Adds an object whose key no other has.
    mutating func insert(_ element: Element) {
        if count == buckets.count { grow() }
        chain(element)
        count += 1
    }

    /// Takes an object out, if it is in.
    mutating func remove(_ element: Element) {
        let bucket = bucket(of: element.hash)
        var previous: Element?
        var current = buckets[bucket]
        while let candidate = current, candidate !== element {
            previous = candidate
            current = candidate.next
        }
        guard current != nil else { return }
        if let previous { previous.next = element.next } else { buckets[bucket] = element.next }
        element.next = nil
        count -= 1
    }

    private mutating func grow() {
        let elements = all
        buckets = Array(repeating: nil, count: buckets.count * 2)
        for element in elements { chain(element) }
    }

    private mutating func chain(_ element: Element) {
        let bucket = bucket(of: element.hash)
        element.next = buckets[bucket]
        buckets[bucket] = element
    }

    // As many buckets as a power of two.
    private func bucket(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (buckets.count - 1) }
}
