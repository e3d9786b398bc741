import LedgerEngine
import LedgerStores
import Testing
import WalletTesting

@Suite struct SQLiteChaosTests {
    /// A failure names its seed; put it here to see it again.
    @Test(arguments: [7, 0xC0FFEE] as [UInt64])
    func everyKeyIsSettledOnceInAFileToo(_ seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        let run = try ChaosRun(seed: seed, callers: 24, commandsEach: 50) { now in
            try SQLiteLedgerStore(
                .init(path: folder.ledger), newLedger: Fixture.ledger, now: now)
        }
        let report = try await run.run()
        #expect(report.recorded + report.refused > 1_000)
        #expect(report.recorded > 300 && report.refused > 50)
        #expect(report.retries > 0 && report.statistics.unknownCommits > 0)
        let reopened = try folder.open()
        _ = try await Verifier(store: reopened).verify()
    }
}
