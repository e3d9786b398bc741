import LedgerEngine
import Testing
import WalletTesting

@Suite struct ChaosTests {
    /// A failure names its seed; put it here to see it again.
    @Test(arguments: [1, 20_260_115, 0xDEAD_BEEF] as [UInt64])
    func everyKeyIsSettledOnceWhateverFails(_ seed: UInt64) async throws {
        let run = ChaosRun(seed: seed, callers: 32, commandsEach: 60) { now in
            InMemoryLedgerStore(ledger: Fixture.ledger, now: now)
        }
        let report = try await run.run()
        #expect(report.recorded + report.refused > 1_500)
        #expect(report.recorded > 500 && report.refused > 100)
        #expect(report.retries > 0)
        #expect(report.statistics.unknownCommits > 0 && report.statistics.failures > 0)
        #expect(report.statistics.batches < report.statistics.commands)
    }
}
