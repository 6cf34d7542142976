import MQTTCore
import Synchronization

/// What the broker keeps of one client, across its connections (section 4.1).
///
/// Publishers on any event loop put messages in; the connection's event loop takes bytes out. No lock of another object is
/// taken while ``outbound`` is held.
final class Session: Sendable {
    /// Whose it is: nobody else resumes it.
    let identity: ClientIdentity
    let clientID: UTF8Key
    /// Tells sessions apart without looking at them.
    let number: UInt64
    let outbound: Mutex<SessionOutput>
    /// QoS 2 from the client. Of the messages it sends, only these outlive a connection.
    let inbound: Mutex<IncomingFlight>

    private let shares = Atomic<Bool>(false)

    private static let counter = Atomic<UInt64>(0)

    init(of identity: ClientIdentity, limits: SessionLimits) {
        self.identity = identity
        clientID = UTF8Key(identity.clientID)
        number = Self.counter.add(1, ordering: .relaxed).newValue
        outbound = Mutex(SessionOutput(limits: limits))
        inbound = Mutex(IncomingFlight())
    }

    /// Whether it ever had a shared subscription.
    var hasSharedSubscriptions: Bool { shares.load(ordering: .relaxed) }

    func noteSharedSubscription() { shares.store(true, ordering: .relaxed) }
}

/// The limits of every session.
struct SessionLimits: Sendable {
    var maximumQueuedMessages: Int
    var maximumQueuedBytes: Int
    var maximumInflight: Int
    var dropsOldest: Bool
    /// What all sessions keep together.
    let account: MemoryAccount
    /// Publishers are held when more than this waits for a connected client, until less than a quarter of it does.
    var highWaterBytes = 256 * 1024
    /// Never above what may be queued: a client that takes nothing is found out before that is exceeded.
    var highWaterMessages: Int { max(1, min(1000, maximumQueuedMessages)) }

    /// No more than this waits for a connected client, whoever can or can't be held for it.
    var overflowBytes: Int { max(maximumQueuedBytes, 4 * highWaterBytes) }
    /// What is in flight to one client at most.
    var maximumInflightBytes: Int { min(overflowBytes, 16 << 20) }
}
