import DequeModule
import MQTTCore

/// Retained messages that new subscriptions ask for (MQTT-3.3.1-9): looked up filter by filter and handed out as the
/// client takes them, so that a SUBSCRIBE of a few bytes can't have the broker copy all it keeps, many times over.
struct RetainedBacklog {
    enum Step {
        case lookUp(_ filter: String)
        /// A few messages, all for one subscription.
        case handOut(ArraySlice<Message>, Subscription)
    }

    private static let largestPart = 256
    private static let largestPartBytes = 64 * 1024

    private var requests = Deque<(number: UInt64, filter: String)>()
    /// Each filter waits once: the request of which number is the one that counts.
    private var numbers: [UTF8Key: UInt64] = [:]
    private var nextNumber: UInt64 = 0
    /// What is left of the messages that were looked up last.
    private var found: ArraySlice<Message> = []
    private var current: (filter: String, subscription: Subscription)?

    var isEmpty: Bool { found.isEmpty && numbers.isEmpty }

    mutating func append(_ filter: String) {
        let key = UTF8Key(filter)
        guard numbers[key] == nil else { return }
        numbers[key] = nextNumber
        requests.append((nextNumber, filter))
        nextNumber += 1
    }

    /// The client has no such subscription any more.
    mutating func remove(_ filter: String) {
        guard !isEmpty else { return }
        if let current, UTF8Key(current.filter) == UTF8Key(filter) { letGo() }
        numbers[UTF8Key(filter)] = nil
        // What does not count any more is passed over later, but may not pile up.
        guard requests.count > 2 * numbers.count + 64 else { return }
        let numbers = numbers
        requests.removeAll { numbers[UTF8Key($0.filter)] != $0.number }
    }

    mutating func next() -> Step? {
        if let current, !found.isEmpty { return .handOut(nextPart(), current.subscription) }
        while let (number, filter) = requests.popFirst() {
            let key = UTF8Key(filter)
            guard numbers[key] == number else { continue }
            numbers[key] = nil
            return .lookUp(filter)
        }
        return nil
    }

    /// What the look-up of a filter has brought.
    mutating func found(_ messages: [Message], _ filter: String, _ subscription: Subscription) {
        current = (filter, subscription)
        found = messages[...]
        if messages.isEmpty { letGo() }
    }

    /// The client is away: its filter is looked up again when it is back, so that no messages are kept meanwhile.
    mutating func suspend() {
        guard let current, !found.isEmpty else { return }
        letGo()
        append(current.filter)
    }

    private mutating func nextPart() -> ArraySlice<Message> {
        var bytes = 0
        let part = found.prefix(Self.largestPart).prefix { message in
            defer { bytes += message.cost }
            return bytes < Self.largestPartBytes
        }
        found = found.dropFirst(part.count)
        if found.isEmpty { letGo() }
        return part
    }

    private mutating func letGo() {
        found = []
        current = nil
    }
}
