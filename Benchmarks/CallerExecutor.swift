/// Runs tasks on the thread that says so: what they do is in the order in which it was begun, every time.
final class CallerExecutor: TaskExecutor, @unchecked Sendable {
    // Unchecked: a benchmark has one thread.
    private var jobs: [UnownedJob] = []

    func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

    /// Returns when all tasks have ended or wait.
    func runAll() {
        while let job = jobs.popLast() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
