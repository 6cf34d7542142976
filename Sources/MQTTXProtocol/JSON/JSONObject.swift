/// The members of a JSON object: a dictionary that keeps the order in which keys were added.
///
/// Two objects are equal when they have the same members in any order. Small objects are searched linearly, larger
/// ones by hash.
public struct JSONObject: Sendable {
    private var entries: [Entry] = []
    private var index: [String: Int]?

    /// One member.
    public struct Entry: Sendable {
        /// Its name.
        public let key: String
        /// Its value.
        public internal(set) var value: JSONValue
    }

    private static let linearLimit = 12

    /// An object without members.
    public init() {}

    /// How many members there are.
    public var count: Int { entries.count }
    /// Whether there are none.
    public var isEmpty: Bool { entries.isEmpty }
    /// The keys in order.
    public var keys: [String] { entries.map(\.key) }
    /// The values in the order of the keys.
    public var values: [JSONValue] { entries.map(\.value) }

    /// The value of a key. Setting an existing key keeps its place; setting nil removes it.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { entries[$0].value } }
        set {
            guard let newValue else {
                removeValue(forKey: key)
                return
            }
            if let position = position(of: key) {
                entries[position].value = newValue
            } else {
                append(key, newValue)
            }
        }
    }

    /// Removes a member and returns its value; takes time in proportion to ``count``.
    @discardableResult
    public mutating func removeValue(forKey key: String) -> JSONValue? {
        guard let position = position(of: key) else { return nil }
        let value = entries.remove(at: position).value
        index = nil
        reindex()
        return value
    }

    private func position(of key: String) -> Int? {
        if let index { return index[key] }
        return entries.firstIndex { $0.key == key }
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        entries.append(Entry(key: key, value: value))
        if index != nil {
            index?[key] = entries.count - 1
        } else {
            reindex()
        }
    }

    private mutating func reindex() {
        guard entries.count > Self.linearLimit else { return }
        var index = [String: Int](minimumCapacity: entries.count * 2)
        for (position, entry) in entries.enumerated() { index[entry.key] = position }
        self.index = index
    }
}

extension JSONObject: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }
    /// ``count``.
    public var endIndex: Int { entries.count }
    /// The member at that place; it must be one of ``Swift/Collection/indices``.
    public subscript(position: Int) -> Entry { entries[position] }
}

extension JSONObject: Hashable {
    /// Whether they have the same members, in any order.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.count == rhs.count && lhs.entries.allSatisfy { rhs[$0.key] == $0.value }
    }

    /// The same whatever the order of the members.
    public func hash(into hasher: inout Hasher) {
        // A sum does not depend on the order, as equality does not.
        var sum = 0
        for entry in entries {
            var each = Hasher()
            each.combine(entry.key)
            each.combine(entry.value)
            sum &+= each.finalize()
        }
        hasher.combine(entries.count)
        hasher.combine(sum)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Of repeated keys the last wins.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// The members of a dictionary, sorted by key, so that equal dictionaries give equal bytes.
    public init(_ dictionary: [String: JSONValue]) {
        for (key, value) in dictionary.sorted(by: { $0.key < $1.key }) { self[key] = value }
    }
}

extension JSONObject: CustomStringConvertible {
    /// As JSON text.
    public var description: String { JSONValue.object(self).description }
}
