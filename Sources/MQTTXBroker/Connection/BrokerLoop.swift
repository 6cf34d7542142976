import NIOCore

/// What belongs to one event loop: its routes, and who is to be told to write at the end of the present turn.
///
/// All members belong to the event loop, hence unchecked, for exclusive access as well: nothing calls out while one is changed.
final class BrokerLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    let index: Int
    @exclusivity(unchecked)
    private var routes = RouteCache()
    /// By the index of the loop that the connections belong to.
    @exclusivity(unchecked)
    private var waiting: [[ClientConnection]]
    @exclusivity(unchecked)
    private var isTurnEndScheduled = false
    /// Counted here and handed to the broker's counters at the end of a read or a turn.
    @exclusivity(unchecked)
    var tally = Tally()
    private let counters: BrokerCounters
    private let all: [any EventLoop]

    /// - Parameters:
    ///   - all: the event loops of the broker.
    ///   - index: which of them this one is.
    init(_ all: [any EventLoop], index: Int, counters: BrokerCounters) {
        self.all = all
        self.counters = counters
        eventLoop = all[index]
        self.index = index
        waiting = Array(repeating: [], count: all.count)
    }

    func route(for topic: String, in router: Router) -> Route { routes.route(for: topic, in: router) }

    /// The connection has something to write. It is told once this turn of the event loop is over, so that all that
    /// comes together goes out in one write; connections of other loops are told with one wake-up for each loop.
    func wake(_ connection: ClientConnection) {
        waiting[connection.loop.index].append(connection)
        guard !isTurnEndScheduled else { return }
        isTurnEndScheduled = true
        eventLoop.execute { self.turnEnded() }
    }

    /// What was read leads to no write where nobody has subscribed; it counts all the same.
    func readEnded() {
        if !isTurnEndScheduled { tally.move(to: counters) }
    }

    private func turnEnded() {
        isTurnEndScheduled = false
        tally.move(to: counters)
        for other in waiting.indices where !waiting[other].isEmpty {
            let connections = waiting[other]
            waiting[other].removeAll(keepingCapacity: connections.count < 256)
            if other == index {
                for connection in connections { connection.flush() }
            } else {
                all[other].execute {
                    for connection in connections { connection.flush() }
                }
            }
        }
    }
}

extension BrokerLoop {
    /// What one turn of an event loop counted.
    struct Tally {
        var received = 0
        var sent = 0
        var dropped = 0
        var held = 0

        mutating func move(to counters: BrokerCounters) {
            if received > 0 { counters.messagesReceived.count(received) }
            if sent > 0 { counters.messagesSent.count(sent) }
            if dropped > 0 { counters.messagesDropped.count(dropped) }
            if held > 0 { counters.publishersHeld.count(held) }
            self = Tally()
        }
    }
}
