import Foundation

/// Runs each job on a thread of its own, so that a body that blocks keeps no other test waiting.
package final class OwnThread: TaskExecutor {
    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = unsafe asUnownedTaskExecutor()
        // Safe: a task keeps the executor it prefers alive.
        Thread.detachNewThread { unsafe job.runSynchronously(on: executor) }
    }
}
