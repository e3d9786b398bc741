import LedgerEngine
import LedgerStores
import Testing
import WalletTesting

@Suite struct StoreCompatibilityTests {
    @Test(arguments: LedgerStoreSuite.Case.allCases)
    func theStoreInMemoryKeepsItsPromise(_ promise: LedgerStoreSuite.Case) async throws {
        let suite = LedgerStoreSuite { clock in
            InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        }
        try await suite.run(promise)
    }

    @Test(arguments: LedgerStoreSuite.Case.allCases)
    func theStoreInSQLiteKeepsItsPromise(_ promise: LedgerStoreSuite.Case) async throws {
        let folder = try TemporaryFolder()
        let suite = LedgerStoreSuite { clock in try folder.open(clock) }
        try await suite.run(promise)
    }
}
