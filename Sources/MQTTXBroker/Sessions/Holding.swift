/// Publishers that are held because a session has too much to send, and whether its client takes any of it.
struct Holding {
    /// Connections that publish to the session and wait until it has drained.
    private var waiters: [ClientConnection] = []
    /// Nothing went out for a second: limits apply, nobody is held.
    private(set) var isStalled = false
    /// Changes whenever the client has taken something.
    private(set) var progress: UInt64 = 0
    /// The client has acknowledged something on this connection.
    private var hasAcknowledged = false

    var isEmpty: Bool { waiters.isEmpty }

    mutating func hold(_ publisher: ClientConnection) { waiters.append(publisher) }

    /// An acknowledgement came of something that waited for it.
    mutating func acknowledged() {
        hasAcknowledged = true
        madeProgress()
    }

    mutating func madeProgress() {
        progress &+= 1
        isStalled = false
    }

    /// A second without progress: from now on limits apply instead of holding.
    mutating func stall() { isStalled = true }

    /// The publishers that may go on.
    mutating func release() -> [ClientConnection] {
        defer { waiters = [] }
        return waiters
    }

    /// - Parameter owesAcknowledgements: whether messages are in flight to the client. Who acknowledged none of them last time would
    ///   hold its publishers for as long again each time that it comes back.
    mutating func connectionStarted(owesAcknowledgements: Bool) {
        isStalled = owesAcknowledgements && !hasAcknowledged
        hasAcknowledged = false
    }

    mutating func connectionEnded() { isStalled = false }
}
