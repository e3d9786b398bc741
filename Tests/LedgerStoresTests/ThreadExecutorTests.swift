import Dispatch
import Foundation
import LedgerStores
import Synchronization
import Testing
import WalletTesting

/// An actor such as those around connections.
private actor Worker {
    private let executor: ThreadExecutor
    private var count = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe executor.asUnownedSerialExecutor()
    }

    init(thread: String) {
        executor = ThreadExecutor(name: thread)
    }

    /// The kernel's name of the thread that this runs on.
    func threadName() -> String? {
        try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            .trimmingCharacters(in: .newlines)
    }

    func increment() -> Int {
        count += 1
        return count
    }

    func wait(for semaphore: DispatchSemaphore, _ started: Gate) -> Bool {
        started.open()
        return semaphore.wait(timeout: .now() + 10) == .success
    }
}

@Suite struct ThreadExecutorTests {
    @Test func jobsRunOnTheThreadWithTheName() async {
        let worker = Worker(thread: "ledger-test-a")
        for _ in 0..<100 {
            #expect(await worker.threadName() == "ledger-test-a")
        }
    }

    @Test func jobsOfManyTasksRunOneAfterTheOther() async {
        let worker = Worker(thread: "ledger-test-b")
        let results = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<2_000 { group.addTask { await worker.increment() } }
            return await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(results == Set(1...2_000))
    }

    @Test func workerThatBlocksKeepsNobodyElseWaiting() async {
        let blocked = Worker(thread: "ledger-test-c")
        let other = Worker(thread: "ledger-test-d")
        let started = Gate(isOpen: false)
        let semaphore = DispatchSemaphore(value: 0)
        async let wasInTime = blocked.wait(for: semaphore, started)
        await started.pass()
        for _ in 0..<10 { _ = await other.increment() }
        semaphore.signal()
        #expect(await wasInTime)
    }

    /// On Linux every thread shows its name, so that one that is left behind can be found.
    @Test func threadsEndWithTheirActors() async throws {
        for _ in 0..<50 {
            let worker = Worker(thread: "ledger-test-e")
            #expect(await worker.increment() == 1)
            let alive = try withExtendedLifetime(worker) { try threads(named: "ledger-test-e") }
            #expect(alive >= 1)
        }
        var left = 0
        for _ in 0..<200 {
            left = try threads(named: "ledger-test-e")
            if left == 0 { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(left == 0)
    }

    private func threads(named name: String) throws -> Int {
        let folder = "/proc/self/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).count { thread in
            let comm = try? String(contentsOfFile: "\(folder)/\(thread)/comm", encoding: .utf8)
            return comm?.trimmingCharacters(in: .newlines) == name
        }
    }
}
