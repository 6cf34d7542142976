internal import MQTTCore

/// Messages of one topic that came in one read, for the same handlers. They share what they have in common, and they are
/// moved in and out: none costs a copy or a retain on its way, and each crosses to the worker in one cache line.
final class Batch: @unchecked Sendable {
    // Unchecked: the event loop fills it, one worker at a time empties it; it changes hands under the dispatch queue's lock.

    private static let largestCapacity = 256
    private static let smallestCapacity = 4

    private(set) var handlers: [HandlerEntry] = []
    /// Whether a subscription identifier chose the handlers among those of the topic.
    @exclusivity(unchecked)
    private(set) var isChosen = false
    @exclusivity(unchecked)
    private var pin: ReadPin?
    @exclusivity(unchecked)
    private var messages = Batch.memory(smallestCapacity)
    /// What the broker is owed for each message once its handlers have returned; empty if nothing is.
    @exclusivity(unchecked)
    private var tickets: [IncomingFlight.Ticket] = []
    @exclusivity(unchecked)
    private(set) var capacity = Batch.smallestCapacity
    @exclusivity(unchecked)
    private var next = 0
    @exclusivity(unchecked)
    private var end = 0

    deinit {
        removeAll()
        messages.deallocate()
    }

    /// Messages that were not taken yet.
    var count: Int { end - next }
    var isEmpty: Bool { next == end }
    /// Whether it should go to a worker before more come.
    var isFull: Bool { end >= Self.largestCapacity }

    // MARK: Filling

    /// - Parameters:
    ///   - chosen: the handlers that a subscription identifier chose; nil for all of the topic.
    ///   - pin: keeps the account of the memory that the payloads lie in.
    func begin(for handlers: [HandlerEntry], chosen: [HandlerEntry]?, pin: ReadPin?) {
        self.handlers = chosen ?? handlers
        isChosen = chosen != nil
        self.pin = pin
    }

    /// Whether a message may follow those that are here: it lies in the same memory and is for the same handlers.
    func takes(owed ticket: IncomingFlight.Ticket?, chosen: [HandlerEntry]?, pin: ReadPin?) -> Bool {
        guard self.pin === pin, (ticket == nil) == tickets.isEmpty, isChosen == (chosen != nil) else { return false }
        guard let chosen else { return true }
        return chosen.elementsEqual(handlers, by: ===)
    }

    func append(_ message: consuming MQTTMessage, owed ticket: IncomingFlight.Ticket?) {
        if end == capacity { grow() }
        (messages + end).initialize(to: message)
        end += 1
        if let ticket { tickets.append(ticket) }
    }

    private func grow() {
        let larger = Self.memory(capacity * 4)
        (larger + next).moveInitialize(from: messages + next, count: end - next)
        messages.deallocate()
        messages = larger
        capacity *= 4
    }

    /// Messages lie in cache lines of their own.
    private static func memory(_ capacity: Int) -> UnsafeMutablePointer<MQTTMessage> {
        UnsafeMutableRawPointer.allocate(byteCount: capacity * MemoryLayout<MQTTMessage>.stride, alignment: 64)
            .bindMemory(to: MQTTMessage.self, capacity: capacity)
    }

    // MARK: Emptying

    /// Moves the next message out.
    func take() -> MQTTMessage? {
        guard next < end else { return nil }
        next += 1
        return (messages + next - 1).move()
    }

    /// What is owed for the message taken last.
    var ticket: IncomingFlight.Ticket? { tickets.isEmpty ? nil : tickets[next - 1] }

    /// Lets everything go but its own memory.
    func removeAll() {
        (messages + next).deinitialize(count: end - next)
        next = 0
        end = 0
        handlers = []
        tickets.removeAll(keepingCapacity: true)
        pin = nil
    }
}
