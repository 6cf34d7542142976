/// The nodes of a ``TopicTrie``, in one array, with one hash table for the children of all of them.
struct TopicTrieNodes: Sendable {
    struct Node: Sendable {
        var parent: Int32
        /// The level's name; empty for the root too.
        var name: String
        var hash: UInt64
        var childCount: Int32 = 0
        /// The child `+`, or -1. Children with a name are in the table.
        var plus: Int32 = -1
        /// The number of the filter that ends here, or -1.
        var filterID: Int32 = -1
        /// The number of the filter that ends below here in `#`, or -1.
        var hashID: Int32 = -1

        var isNeeded: Bool { childCount > 0 || filterID >= 0 || hashID >= 0 }
    }

    static let root: Int32 = 0

    private var nodes = [Node(parent: -1, name: "", hash: 0)]
    private var free: [Int32] = []
    /// Indices of nodes, -1 where there is none; open addressing, at most half full, a power of two in size.
    private var table: [Int32] = []
    private var tableCount = 0
    // Secret, so that a peer can't choose names that collide.
    private let seed: UInt64
    private let multiplier: UInt64

    init(using generator: inout some RandomNumberGenerator) {
        seed = generator.next()
        multiplier = generator.next() | 1
    }

    /// The nodes in use, the root among them.
    var count: Int { nodes.count - free.count }

    subscript(node: Int32) -> Node {
        get { nodes[Int(node)] }
        _modify { yield &nodes[Int(node)] }
    }

    /// What a walk looks at first, without a copy of the name.
    @inline(__always)
    func wildcards(of node: Int32) -> (hashID: Int32, filterID: Int32, plus: Int32) {
        nodes.withUnsafeBufferPointer {
            let index = Int(node)
            return ($0[index].hashID, $0[index].filterID, $0[index].plus)
        }
    }

    func child(of parent: Int32, _ level: TopicLevels.Level) -> Int32? {
        let child =
            level.isSingleLevelWildcard
            ? nodes[Int(parent)].plus : child(of: parent, level.bytes, hash: hash(level.bytes))
        return child >= 0 ? child : nil
    }

    /// The child of that name, or -1.
    @inline(__always)
    func child(of parent: Int32, _ name: UnsafeRawBufferPointer, hash: UInt64) -> Int32 {
        guard !table.isEmpty else { return -1 }
        let mask = table.count - 1
        var position = home(parent, hash) & mask
        while true {
            let index = table[position]
            if index < 0 { return -1 }
            let isIt = nodes.withUnsafeBufferPointer {
                $0[Int(index)].hash == hash && $0[Int(index)].parent == parent
                    && $0[Int(index)].name.withBytes { $0.isEqual(to: name) }
            }
            if isIt { return index }
            position = (position + 1) & mask
        }
    }

    mutating func addChild(to parent: Int32, _ level: TopicLevels.Level) -> Int32 {
        let node = Node(
            parent: parent, name: String(decoding: level.bytes, as: UTF8.self), hash: hash(level.bytes))
        let index: Int32
        if let reused = free.popLast() {
            index = reused
            nodes[Int(index)] = node
        } else {
            index = Int32(nodes.count)
            nodes.append(node)
        }
        nodes[Int(parent)].childCount += 1
        if level.isSingleLevelWildcard {
            nodes[Int(parent)].plus = index
        } else {
            insertIntoTable(index)
        }
        return index
    }

    /// Takes away a node that is not needed any more, and those above that thereby aren't.
    mutating func prune(from start: Int32) {
        var index = start
        while index != Self.root, !nodes[Int(index)].isNeeded {
            let parent = nodes[Int(index)].parent
            if nodes[Int(parent)].plus == index {
                nodes[Int(parent)].plus = -1
            } else {
                removeFromTable(index)
            }
            nodes[Int(parent)].childCount -= 1
            nodes[Int(index)] = Node(parent: -1, name: "", hash: 0)
            free.append(index)
            index = parent
        }
        if free.count > 64, free.count > nodes.count / 4 * 3 { compact() }
    }
}

// MARK: The table

extension TopicTrieNodes {
    @inline(__always)
    func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.foldedHash(seed: seed, multiplier: multiplier)
    }

    @inline(__always)
    private func home(_ parent: Int32, _ hash: UInt64) -> Int {
        let product = (hash ^ UInt64(truncatingIfNeeded: parent) &* 0x9E37_79B9_7F4A_7C15) &* multiplier
        return Int(truncatingIfNeeded: product >> 32 ^ product >> 7)
    }

    private mutating func insertIntoTable(_ index: Int32) {
        if (tableCount + 1) * 2 > table.count { resizeTable(max(8, table.count * 2)) }
        place(index)
        tableCount += 1
    }

    private mutating func place(_ index: Int32) {
        let mask = table.count - 1
        var position = home(nodes[Int(index)].parent, nodes[Int(index)].hash) & mask
        while table[position] >= 0 { position = (position + 1) & mask }
        table[position] = index
    }

    private mutating func resizeTable(_ size: Int) {
        let old = table
        table = Array(repeating: -1, count: size)
        for index in old where index >= 0 { place(index) }
    }

    private mutating func removeFromTable(_ index: Int32) {
        let mask = table.count - 1
        var hole = home(nodes[Int(index)].parent, nodes[Int(index)].hash) & mask
        while table[hole] != index { hole = (hole + 1) & mask }
        // Entries that were pushed past the hole move up, so that no search stops short of them.
        var position = hole
        while true {
            position = (position + 1) & mask
            let other = table[position]
            if other < 0 { break }
            let distance = (position - home(nodes[Int(other)].parent, nodes[Int(other)].hash)) & mask
            if distance >= (position - hole) & mask {
                table[hole] = other
                hole = position
            }
        }
        table[hole] = -1
        tableCount -= 1
        if table.count > 64, tableCount * 8 < table.count { resizeTable(table.count / 2) }
    }

    /// Gives back the memory of removed nodes by moving the others together.
    private mutating func compact() {
        var moved = [Int32](repeating: -1, count: nodes.count)
        var kept: [Node] = []
        kept.reserveCapacity(nodes.count - free.count)
        for (index, node) in nodes.enumerated() where index == 0 || node.parent >= 0 {
            moved[index] = Int32(kept.count)
            kept.append(node)
        }
        for index in kept.indices {
            if kept[index].parent >= 0 { kept[index].parent = moved[Int(kept[index].parent)] }
            if kept[index].plus >= 0 { kept[index].plus = moved[Int(kept[index].plus)] }
        }
        let named = table.filter { $0 >= 0 }.map { moved[Int($0)] }
        nodes = kept
        free = []
        table = Array(repeating: -1, count: table.count)
        for index in named { place(index) }
    }
}

extension UnsafeRawBufferPointer {
    /// A hash for tables that a peer fills; both parameters are to be secret.
    @inline(__always)
    fileprivate func foldedHash(seed: UInt64, multiplier: UInt64) -> UInt64 {
        @inline(__always)
        func fold(_ value: UInt64) -> UInt64 {
            let product = value.multipliedFullWidth(by: multiplier)
            return product.high ^ product.low
        }
        var hash = seed ^ UInt64(truncatingIfNeeded: count)
        var offset = 0
        while offset + 8 <= count {
            hash = fold(hash ^ loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &+ seed
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < count {
            tail = tail << 8 | UInt64(self[offset])
            offset += 1
        }
        return fold(hash ^ tail)
    }
}
