internal import MQTTCore
internal import NIOCore
internal import Synchronization

/// Brings acknowledgements that handlers have earned back to the event loop, many in one hop.
final class AcknowledgementQueue: Sendable {
    private struct State {
        var tickets: [(IncomingFlight.Ticket, ReasonCode)] = []
        var isScheduled = false
    }

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let drain: NIOLoopBoundBox<(([(IncomingFlight.Ticket, ReasonCode)]) -> Void)?>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        drain = .makeBoxSendingValue(nil, eventLoop: eventLoop)
    }

    /// What the event loop does with them; set once, on the event loop.
    func onDrain(_ body: @escaping ([(IncomingFlight.Ticket, ReasonCode)]) -> Void) { drain.value = body }

    func append(_ tickets: [(IncomingFlight.Ticket, ReasonCode)]) {
        let mustSchedule = state.withLock { state in
            state.tickets += tickets
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        guard mustSchedule else { return }
        eventLoop.execute {
            var tickets: [(IncomingFlight.Ticket, ReasonCode)] = []
            self.state.withLock { state in
                state.isScheduled = false
                swap(&tickets, &state.tickets)
            }
            self.drain.value?(tickets)
        }
    }
}

/// Acknowledges one message by hand.
package final class Acknowledger: Sendable {
    private let ticket: IncomingFlight.Ticket
    private let queue: AcknowledgementQueue

    init(ticket: IncomingFlight.Ticket, queue: AcknowledgementQueue) {
        self.ticket = ticket
        self.queue = queue
    }

    func acknowledge(_ reasonCode: ReasonCode) { queue.append([(ticket, reasonCode)]) }
}
