internal import DequeModule
internal import Synchronization

/// The tasks that serve an endpoint's requests: as many as there are handlers at once that wait.
///
/// A member serves one request after another. While there are requests that nobody serves, one more member is sought, so
/// that no request waits behind a handler that takes long; to make a task for each request would be a tenth of a call.
final class Crew: Sendable {
    /// A request that is to be served.
    struct Job {
        // Held by what there is to do, not by who does it: an endpoint that nobody needs any more takes its crew along.
        let responder: Responder
        let service: Responder.Service
        let method: Method?
    }

    private struct State {
        var jobs = Deque<Job>()
        var members: [Int: Task<Void, Never>] = [:]
        var nextID = 0
        var idle: [UnsafeContinuation<Void, Never>] = []
        /// Whether a member is on its way that has not looked for a job yet.
        var isSought = false
        var isDismissed = false
    }

    /// Members that wait for more to do; what is beyond that leaves.
    private static let largestIdleCount = 16

    private let executor: (any TaskExecutor)?
    private let state = Mutex(State())

    init(executor: (any TaskExecutor)?) { self.executor = executor }

    /// Has a request served soon; returns at once.
    ///
    /// - Returns: false if the crew was dismissed.
    func take(_ job: Job) -> Bool {
        let (isTaken, member) = state.withLock { state -> (Bool, UnsafeContinuation<Void, Never>?) in
            guard !state.isDismissed else { return (false, nil) }
            state.jobs.append(job)
            return (true, seek(&state))
        }
        member?.resume()
        return isTaken
    }

    /// Cancels all members and takes nothing more.
    ///
    /// - Returns: the jobs that nobody has begun.
    func dismiss() -> [Job] {
        let (members, idle, jobs) = state.withLock { state in
            state.isDismissed = true
            defer {
                state.idle = []
                state.jobs = []
            }
            return (Array(state.members.values), state.idle, Array(state.jobs))
        }
        for member in members { member.cancel() }
        for member in idle { member.resume() }
        return jobs
    }

    /// Has one more member look for a job, if there is one to do and nobody is on its way.
    ///
    /// - Returns: an idle member, to be woken outside the lock.
    private func seek(_ state: inout State) -> UnsafeContinuation<Void, Never>? {
        guard !state.jobs.isEmpty, !state.isSought else { return nil }
        state.isSought = true
        if let idle = state.idle.popLast() { return idle }
        let id = state.nextID
        state.nextID += 1
        // Ends when there is nothing to do for many, or with dismiss(), which cancels it.
        state.members[id] = Task(executorPreference: executor) { await self.work(as: id) }
        return nil
    }

    private func work(as id: Int) async {
        var isExpected = true
        while true {
            switch next(id, isExpected: isExpected) {
            case .job(let job):
                isExpected = false
                await job.responder.serve(job.service, job.method)
            case .wait:
                await untilSought()
                isExpected = true
            case .leave:
                return
            }
        }
    }

    private enum Next {
        case job(Job)
        case wait
        case leave
    }

    /// - Parameter isExpected: whether this member is the one that was sought.
    private func next(_ id: Int, isExpected: Bool) -> Next {
        let (next, another) = state.withLock { state -> (Next, UnsafeContinuation<Void, Never>?) in
            if isExpected { state.isSought = false }
            if let job = state.jobs.popFirst() { return (.job(job), seek(&state)) }
            guard !state.isDismissed, state.idle.count < Self.largestIdleCount else {
                state.members[id] = nil
                return (.leave, nil)
            }
            return (.wait, nil)
        }
        another?.resume()
        return next
    }

    private func untilSought() async {
        await withUnsafeContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.isDismissed || (!state.jobs.isEmpty && !state.isSought) {
                    state.isSought = !state.isDismissed
                    return true
                }
                state.idle.append(continuation)
                return false
            }
            if goesOn { continuation.resume() }
        }
    }
}
