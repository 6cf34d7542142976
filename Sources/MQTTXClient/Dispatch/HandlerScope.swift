/// Tells the tasks that a client's handlers run in, and those which they start, from all others: what waits for the handlers must
/// not wait in one of them.
final class HandlerScope: Sendable {
    /// Of the client whose handler the present task is part of.
    @TaskLocal static var current: HandlerScope?

    /// Whether the present task is part of a handler of this client.
    var isEntered: Bool { Self.current === self }
}
