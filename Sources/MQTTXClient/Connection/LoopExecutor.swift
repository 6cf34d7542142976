internal import NIOCore
internal import Synchronization

/// Runs tasks on the event loop, between reads and writes: ``MQTTClient/taskExecutor``.
final class LoopExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isScheduled = false
    }

    /// How many rounds of jobs may follow each other at once; then the event loop has a look at its sockets.
    private static let longestRun = 16
    private static let pause = TimeAmount.microseconds(20)

    private let state = Mutex(State())
    /// Memory for the jobs of another round.
    private let spare: NIOLoopBoundBox<[UnownedJob]>
    private let rhythm: NIOLoopBoundBox<FlushRhythm>
    private let eventLoop: any EventLoop
    private let outbox: Outbox

    init(_ eventLoop: any EventLoop, _ outbox: Outbox) {
        self.eventLoop = eventLoop
        self.outbox = outbox
        rhythm = .makeBoxSendingValue(FlushRhythm(), eventLoop: eventLoop)
        spare = .makeBoxSendingValue([], eventLoop: eventLoop)
    }

    /// Whether jobs wait for their turn.
    var isBusy: Bool { state.withLock { $0.isScheduled } }

    /// Lets jobs wait for ``release()``, on the event loop, instead of another round of it.
    ///
    /// - Returns: false if they wait for a round already.
    func hold() -> Bool {
        rhythm.value.readBegins()
        return state.withLock { state in
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
    }

    /// Runs what has come since ``hold()``.
    func release() { run(round: 1) }

    /// What the turn that began with ``hold()`` has to send is sent.
    func turnEnded() { rhythm.value.turnEnded() }

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
        var jobs = spare.value
        spare.value = []
        state.withLock { swap(&$0.jobs, &jobs) }
        // What many of them send goes out while the others run: else the broker would wait for us, and then we for it.
        let share = rhythm.value.share(of: jobs.count, others: outbox.atWork(besides: jobs.count))
        var untilFlush = share
        for job in jobs {
            job.runSynchronously(on: executor)
            untilFlush -= 1
            if untilFlush == 0 {
                outbox.flush()
                untilFlush = share
            }
        }
        jobs.removeAll(keepingCapacity: true)
        spare.value = jobs
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
