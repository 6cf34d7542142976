/// Which messages in flight, or calls, have not been looked at: each is once, if it is still in flight at the second look after
/// it was sent. They are numbered in the order sent, from 1.
package struct FlightWatch {
    private var looked: UInt64 = 0
    private var sentBeforeLastLook: UInt64 = 0
    /// Whether somebody looks again and again.
    package private(set) var isOn = false

    package init() {}

    /// A message is sent.
    ///
    /// - Returns: whether nobody looks at present.
    @inline(__always)
    package mutating func begin() -> Bool {
        if isOn { return false }
        isOn = true
        return true
    }

    /// Nobody looks any more.
    package mutating func stop() { isOn = false }

    /// The messages to look at now; nobody looks any more if none were sent since.
    package mutating func next(lastSent: UInt64) -> Range<UInt64> {
        let due = looked + 1..<sentBeforeLastLook + 1
        looked = sentBeforeLastLook
        isOn = lastSent > looked
        sentBeforeLastLook = lastSent
        return due
    }
}
