internal import DequeModule
internal import NIOCore
internal import Synchronization

/// Runs tasks on the event loop, between reads and writes: ``MQTTClient/taskExecutor``.
final class LoopExecutor: TaskExecutor {
    private struct State {
        var jobs = Deque<UnownedJob>()
        var isScheduled = false
    }

    /// How many rounds of jobs may follow each other at once; then the event loop has a look at its sockets.
    private static let longestRun = 16
    private static let pause = TimeAmount.microseconds(20)

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let outbox: Outbox

    init(_ eventLoop: any EventLoop, _ outbox: Outbox) {
        self.eventLoop = eventLoop
        self.outbox = outbox
    }

    /// Whether jobs wait for their turn.
    var isBusy: Bool { state.withLock { $0.isScheduled } }

    /// Lets jobs wait for ``release()``, on the event loop, instead of another round of it.
    ///
    /// - Returns: false if they wait for a round already.
    func hold() -> Bool {
        state.withLock { state in
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
    }

    /// Runs what has come since ``hold()``.
    func release() { run(round: 1) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustSchedule = state.withLock { state in
            state.jobs.append(job)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if mustSchedule { eventLoop.execute { self.run(round: 1) } }
    }

    /// Runs the jobs that are here; those which come meanwhile are the next round.
    private func run(round: Int) {
        let executor = asUnownedTaskExecutor()
        let count = state.withLock { $0.jobs.count }
        // What half of them send goes out while the others run: else the broker would wait for us, and then we for it.
        let share = min(max(count / 2, 16), 64)
        for number in 0..<count {
            guard let job = state.withLock({ $0.jobs.popFirst() }) else { break }
            job.runSynchronously(on: executor)
            if (number + 1).isMultiple(of: share) { outbox.flush() }
        }
        let isDone = state.withLock { state in
            state.isScheduled = !state.jobs.isEmpty
            return state.jobs.isEmpty
        }
        guard !isDone else { return }
        if round < Self.longestRun {
            eventLoop.execute { self.run(round: round + 1) }
        } else {
            // What is executed goes before sockets, however long it goes on; what is due later does not.
            eventLoop.scheduleTask(in: Self.pause) { self.run(round: 1) }
        }
    }
}
