import DequeModule
import Dispatch
import Foundation
import Synchronization

/// Runs an actor's jobs one after the other on a thread of its own, so that a blocking connection
/// never occupies a thread that others wait for.
package final class ThreadExecutor: SerialExecutor {
    private let queue: JobQueue

    /// An executor whose thread bears the name.
    package init(name: String) {
        let queue = JobQueue()
        self.queue = queue
        // On Linux a name is lost that is given before the thread runs, or before `start` returns.
        let started = DispatchSemaphore(value: 0)
        let thread = Thread {
            started.wait()
            Thread.current.name = name
            queue.work()
        }
        thread.stackSize = 1 << 20
        thread.start()
        started.signal()
    }

    deinit {
        queue.stop()
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = unsafe asUnownedSerialExecutor()
        // Safe: a job keeps the actor it belongs to alive, and the actor its executor.
        queue.add { unsafe job.runSynchronously(on: executor) }
    }
}

/// The jobs that wait for one thread; the thread ends when they are done and it has been stopped.
private final class JobQueue: Sendable {
    private struct State {
        var jobs: Deque<@Sendable () -> Void> = []
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeups = DispatchSemaphore(value: 0)

    func add(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.jobs.append(job) }
        wakeups.signal()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        wakeups.signal()
    }

    func work() {
        while true {
            wakeups.wait()
            let (next, isStopped) = state.withLock { ($0.jobs.popFirst(), $0.isStopped) }
            if let next {
                next()
            } else if isStopped {
                return
            }
        }
    }
}
