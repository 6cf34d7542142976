import MQTTCore
import NIOCore
import Synchronization

/// Sessions whose client is away: when they end, and which wills wait (sections 3.1.2.11.2 and 3.1.3.2.2).
final class DepartureBook: Sendable {
    private struct Departure {
        let number: UInt64
        var will: PendingWill?
        var expiry: Scheduled<Void>?
        var delay: Scheduled<Void>?
    }

    private struct State {
        var departures: [UInt64: Departure] = [:]
        var counter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The client has left. The will goes out after its delay or when the session ends, whichever is first
    /// (MQTT-3.1.3-9).
    func add(_ session: Session, will: PendingWill?, expiry: UInt32?, broker: BrokerCore, loop: BrokerLoop) {
        let delay = will?.delay ?? 0
        if let will, delay == 0 { broker.publish(will, from: session, on: loop) }
        let number = state.withLock { state in
            state.counter += 1
            state.departures[session.number] = Departure(number: state.counter, will: delay > 0 ? will : nil)
            return state.counter
        }
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
    }

    /// The client is back, or its session over.
    ///
    /// - Returns: the will that was still waiting.
    @discardableResult
    func cancel(_ session: Session) -> PendingWill? {
        let departure = state.withLock { $0.departures.removeValue(forKey: session.number) }
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
