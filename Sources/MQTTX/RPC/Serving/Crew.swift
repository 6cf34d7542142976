internal import DequeModule
internal import Synchronization

/// The tasks that serve an endpoint's requests: as many as there are handlers at once that wait.
///
/// A member serves one request after another. While there are requests that nobody serves, one more member is sought, so
/// that no request waits behind a handler that takes long; to make a task for each would be a tenth of the work.
final class Crew: Sendable {
    private struct State {
        // They hold the responder, which its crew does not: an endpoint that nobody needs any more takes its crew along.
        var jobs = Deque<Service>()
        /// The tasks, to be cancelled; that of one that is being made comes a little later.
        var members: [Int: Task<Void, Never>?] = [:]
        var nextID = 0
        /// Members that wait; told whether there may be something to do.
        var idle: [UnsafeContinuation<Bool, Never>] = []
        /// Whether a member is on its way that has not looked for a job yet.
        var isSought = false
        /// Whether nobody is to wait for more to do.
        var isResting = false
        var isDismissed = false

        var hasRoomForIdle: Bool { !isResting && idle.count < Crew.largestIdleCount }
    }

    /// Who is to look for a job; called upon outside the lock.
    private enum Sought {
        case nobody
        case idle(UnsafeContinuation<Bool, Never>)
        case new(Int)
    }

    private enum Next {
        case job(Service)
        case wait
        case leave
    }

    /// Members that wait for more to do; what is beyond that leaves.
    private static let largestIdleCount = 16
    /// After so many jobs without a break a member lets the one go on that is on its way: others have their turn in between,
    /// and what was answered goes out.
    private static let longestTurn = 20

    private let executor: (any TaskExecutor)?
    private let state = Mutex(State())

    init(executor: (any TaskExecutor)?) { self.executor = executor }

    /// How many tasks there are at present.
    var memberCount: Int { state.withLock { $0.members.count } }

    /// Has a request served soon; returns at once.
    ///
    /// - Returns: false if the crew was dismissed.
    func take(_ job: Service) -> Bool {
        let (isTaken, sought) = state.withLock { state -> (Bool, Sought) in
            guard !state.isDismissed else { return (false, .nobody) }
            state.jobs.append(job)
            return (true, Self.seek(&state))
        }
        call(sought)
        return isTaken
    }

    /// Lets those go that have nothing to do, now and until ``goOn()``; there will be others when there is.
    func rest() {
        let idle = state.withLock { state in
            state.isResting = true
            defer { state.idle = [] }
            return state.idle
        }
        for member in idle { member.resume(returning: false) }
    }

    /// Members wait for more to do again.
    func goOn() { state.withLock { $0.isResting = false } }

    /// Cancels all members and takes nothing more.
    ///
    /// - Returns: the jobs that nobody has begun.
    func dismiss() -> [Service] {
        let (members, jobs) = state.withLock { state in
            state.isDismissed = true
            defer { state.jobs = [] }
            return (state.members.values.compactMap(\.self), Array(state.jobs))
        }
        for member in members { member.cancel() }
        rest()
        return jobs
    }

    /// One more member is to look for a job, if there is one to do and nobody is on its way.
    private static func seek(_ state: inout State) -> Sought {
        guard !state.jobs.isEmpty, !state.isSought else { return .nobody }
        state.isSought = true
        if let idle = state.idle.popLast() { return .idle(idle) }
        state.nextID += 1
        state.members.updateValue(nil, forKey: state.nextID)
        return .new(state.nextID)
    }

    private func call(_ sought: Sought) {
        switch sought {
        case .nobody: break
        case .idle(let member): member.resume(returning: true)
        case .new(let id):
            // Of nobody's context: it serves whoever asks. dismiss() cancels it; nobody awaits it, but Responder.close() awaits
            // the handler that it runs. Else it ends when there is nothing to do for many.
            let task = Task.detached(executorPreference: executor) { await self.work(as: id) }
            let isDismissed = state.withLock { state in
                // It may have left already.
                if state.members.keys.contains(id) { state.members[id] = task }
                return state.isDismissed
            }
            if isDismissed { task.cancel() }
        }
    }

    private func work(as id: Int) async {
        var isExpected = true
        var count = 0
        while true {
            let next = next(isExpected: isExpected, hasHadItsTurn: count >= Self.longestTurn)
            isExpected = false
            switch next {
            case .job(let job):
                count += 1
                await job.responder.serve(job)
            case .wait:
                guard await untilSought() else { return leave(id) }
                isExpected = true
                count = 0
            case .leave:
                return leave(id)
            }
        }
    }

    /// - Parameters:
    ///   - isExpected: whether this member is the one that was sought.
    ///   - hasHadItsTurn: whether it is to let another go on, if there is one on its way.
    private func next(isExpected: Bool, hasHadItsTurn: Bool) -> Next {
        let (next, sought) = state.withLock { state -> (Next, Sought) in
            if isExpected { state.isSought = false }
            // One whose handler cancelled it would serve others as cancelled.
            if state.isDismissed || Task.isCancelled { return (.leave, Self.seek(&state)) }
            if hasHadItsTurn, state.isSought { return (state.hasRoomForIdle ? .wait : .leave, .nobody) }
            if let job = state.jobs.popFirst() { return (.job(job), Self.seek(&state)) }
            return (state.hasRoomForIdle ? .wait : .leave, .nobody)
        }
        call(sought)
        return next
    }

    private func leave(_ id: Int) { state.withLock { _ = $0.members.removeValue(forKey: id) } }

    /// - Returns: whether there may be something to do.
    private func untilSought() async -> Bool {
        await withUnsafeContinuation { continuation in
            let goesOn: Bool? = state.withLock { state in
                if state.isDismissed { return false }
                if !state.jobs.isEmpty, !state.isSought {
                    state.isSought = true
                    return true
                }
                if state.isResting { return false }
                state.idle.append(continuation)
                return nil
            }
            if let goesOn { continuation.resume(returning: goesOn) }
        }
    }
}
