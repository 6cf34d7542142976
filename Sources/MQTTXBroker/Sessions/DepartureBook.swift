import MQTTCore
import NIOCore
import Synchronization

/// Sessions whose client is away: when they end, and which wills wait (sections 3.1.2.11.2 and 3.1.3.2.2).
final class DepartureBook: Sendable {
    private struct Departure {
        /// Which connection of the session has left.
        let number: UInt64
        var will: PendingWill?
        var expiry: Scheduled<Void>?
        var delay: Scheduled<Void>?
    }

    private struct State {
        var departures: [UInt64: Departure] = [:]
    }

    private let state = Mutex(State())

    /// The client has left. The will goes out after its delay or when the session ends, whichever is first
    /// (MQTT-3.1.3-9).
    ///
    /// - Parameter number: counts the connections of the session; this one has left.
    func add(
        _ session: Session, _ number: UInt64, will: PendingWill?, expiry: UInt32?, broker: BrokerCore, loop: BrokerLoop
    ) {
        let delay = will?.delay ?? 0
        if let will, delay == 0 { broker.publish(will, from: session, on: loop) }
        let isLast = state.withLock { state in
            guard state.departures[session.number]?.number ?? 0 < number else { return false }
            state.departures[session.number] = Departure(number: number, will: delay > 0 ? will : nil)
            return true
        }
        guard isLast else { return }
        let expiryTask = expiry.map { seconds in
            loop.eventLoop.scheduleTask(in: .seconds(Int64(seconds))) {
                if self.isCurrent(session, number) { broker.expire(session, on: loop) }
            }
        }
        let delayTask =
            delay == 0 || will == nil
            ? nil
            : loop.eventLoop.scheduleTask(in: .seconds(Int64(delay))) {
                if let will = self.takeWill(session, number) { broker.publish(will, from: session, on: loop) }
            }
        state.withLock { state in
            guard state.departures[session.number]?.number == number else {
                expiryTask?.cancel()
                delayTask?.cancel()
                return
            }
            state.departures[session.number]?.expiry = expiryTask
            state.departures[session.number]?.delay = delayTask
        }
        // On another event loop the client may be back by now, or the session over, and nothing was here to cancel then.
        let (isBack, isOver) = session.outbound.withLock { ($0.attachments != number, $0.isEnded) }
        guard isBack || isOver else { return }
        let waiting = cancel(session, number)
        if isOver, !isBack, let waiting { broker.publish(waiting, from: session, on: loop) }
    }

    /// The client is back, or its session over.
    ///
    /// - Parameter number: of the connection whose departure alone is meant; nil for any.
    /// - Returns: the will that was still waiting.
    @discardableResult
    func cancel(_ session: Session, _ number: UInt64? = nil) -> PendingWill? {
        let departure = state.withLock { state -> Departure? in
            if let number, state.departures[session.number]?.number != number { return nil }
            return state.departures.removeValue(forKey: session.number)
        }
        departure?.expiry?.cancel()
        departure?.delay?.cancel()
        return departure?.will
    }

    private func isCurrent(_ session: Session, _ number: UInt64) -> Bool {
        state.withLock { $0.departures[session.number]?.number == number }
    }

    private func takeWill(_ session: Session, _ number: UInt64) -> PendingWill? {
        state.withLock { state in
            guard state.departures[session.number]?.number == number else { return nil }
            defer { state.departures[session.number]?.will = nil }
            return state.departures[session.number]?.will
        }
    }
}
