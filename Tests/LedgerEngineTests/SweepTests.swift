import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct SweepTests {
    /// Wallets with 100 each and holds of 10 on them, due one second after the other.
    private func holding(
        _ engine: Engine, _ count: Int
    ) async throws -> (wallets: [WalletID], holds: [HoldID]) {
        var wallets: [WalletID] = []
        var holds: [HoldID] = []
        for index in 0..<count {
            let wallet = try await engine.wallet("user-\(index)", amount: 100)
            let due = engine.clock.now.advanced(byMicroseconds: Int64(count - index) * 1_000_000)
            let outcome = try await engine.submit(hold(wallet, 10, until: due), key: "h-\(index)")
            guard case .holdPlaced(let id, _, _, _, _, _)? = outcome.event?.change else {
                throw Engine.Unexpected(outcome: outcome)
            }
            wallets.append(wallet)
            holds.append(id)
        }
        return (wallets, holds)
    }

    private func expiries(_ engine: Engine, after position: Int64) async throws -> [HoldID] {
        let head = try await engine.head().position
        let events = try await engine.base.read { try $0.events(at: Array(position + 1...head)) }
        return events.sorted { $0.key < $1.key }.compactMap { _, event in
            guard case .holdExpired(let id, _, _, _, _) = event.change else { return nil }
            return id
        }
    }

    @Test func sweepRecordsWhatIsDueInTheOrderInWhichItWasDue() async throws {
        var limits = Sequencer.Limits()
        limits.maxSweep = 2
        try await Engine.run(limits: limits) { engine in
            let (wallets, holds) = try await holding(engine, 5)
            let before = try await engine.head()
            #expect(try await engine.sequencer.sweep() == 0)
            #expect(try await engine.head() == before)
            engine.clock.advance(byMicroseconds: 3_500_000)
            #expect(try await engine.sequencer.sweep() == 2)
            #expect(try await engine.sequencer.sweep() == 1)
            #expect(try await engine.sequencer.sweep() == 0)
            #expect(
                try await expiries(engine, after: before.position) == [
                    holds[4], holds[3], holds[2],
                ])
            #expect(engine.sequencer.statistics.sweptHolds == 3)
            let held = try await engine.base.read { snapshot in
                try wallets.map { try snapshot.wallets([$0]).first?.held }
            }
            #expect(held == [10, 10, 0, 0, 0])
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func sweepLeavesWhatItsNeighboursHaveClosed() async throws {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        var placed: (wallets: [WalletID], holds: [HoldID]) = ([], [])
        try await Engine.run(on: base, clock: clock) { placed = try await holding($0, 3) }
        let (wallets, holds) = placed
        clock.advance(byMicroseconds: 10_000_000)
        var limits = Sequencer.Limits()
        limits.maxSweep = 10
        try await Engine.run(on: base, clock: clock, limits: limits, gate: gate) { engine in
            let before = try await engine.head()
            async let first = engine.submit(deposit(wallets[1], 1), key: "first")
            try await eventually { gate.waiters == 1 }
            // All of it shares one transaction: a command, a sweep, and another command.
            async let second = engine.submit(deposit(wallets[0], 1), key: "second")
            try await eventually { engine.sequencer.statistics.queueDepth == 1 }
            async let swept = engine.sequencer.sweep()
            try await eventually { engine.sequencer.statistics.queueDepth == 11 }
            async let third = engine.submit(.releaseHold(hold: holds[2]), key: "third")
            try await eventually { engine.sequencer.statistics.queueDepth == 12 }
            gate.open()
            _ = try await first
            _ = try await second
            #expect(try await swept == 1)
            #expect(try await third.code == .holdNotOpen)
            #expect(engine.log.appends.count == 2)
            #expect(
                try await expiries(engine, after: before.position) == [
                    holds[1], holds[0], holds[2],
                ])
            _ = try await Verifier(store: base).verify()
        }
    }

    /// Holds fall due while others are being recorded, a microsecond each.
    @Test func holdsThatFallDueWhileOthersExpireExpireToo() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10_000)
            let start = engine.clock.now.advanced(byMicroseconds: 60_000_000)
            let count = 1_200
            for first in stride(from: 0, to: count, by: 600) {
                let holds = (first..<first + 600).map { index in
                    let later = index < 1_100 ? 0 : Int64(index)
                    return hold(wallet, 1, until: start.advanced(byMicroseconds: later))
                }
                let batch = BatchTests.batch(holds, key: "b-\(first)", isAtomic: true)
                #expect(try await engine.submit(batch).outcomes?.count == 600)
            }
            let before = try await engine.head()
            engine.clock.advance(byMicroseconds: 60_000_000)
            let spent = try await engine.submit(withdrawal(wallet, 10_000), key: "all")
            #expect(spent.event?.position == before.position + Int64(count) + 1)
            #expect(try await expiries(engine, after: before.position).count == count)
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test(arguments: [FaultyLedgerStore.Fault.lostAfterCommit, .lostBeforeCommit])
    func sweepOfUnknownOutcomeIsRecordedOnce(_ fault: FaultyLedgerStore.Fault) async throws {
        try await Engine.run { engine in
            let (_, holds) = try await holding(engine, 2)
            let before = try await engine.head()
            engine.clock.advance(byMicroseconds: 10_000_000)
            engine.log.expect([fault])
            _ = try await engine.sequencer.sweep()
            #expect(
                try await expiries(engine, after: before.position) == holds.reversed())
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func holdThatExpiresInAFailedAtomicBatchIsRecordedByWhateverComesNext() async throws {
        try await Engine.run { engine in
            let (wallets, holds) = try await holding(engine, 1)
            engine.clock.advance(byMicroseconds: 10_000_000)
            let before = try await engine.head()
            // The second needs what the hold no longer reserves, and the third fails anyway.
            let failing = BatchTests.batch(
                [deposit(wallets[0], 1), withdrawal(wallets[0], 101), withdrawal(wallets[0], 1)],
                key: "atomic", isAtomic: true)
            let refusal = try await engine.submit(failing).refusal
            #expect(refusal?.operations.map { $0?.code } == [nil, nil, .insufficientFunds])
            #expect(try await engine.head() == before)
            let each = try await engine.submit(
                BatchTests.batch([withdrawal(wallets[0], 101)], key: "each", isAtomic: false))
            #expect(each.outcomes?.map(\.code) == [.insufficientFunds])
            #expect(try await expiries(engine, after: before.position) == holds)
            #expect(try await engine.sequencer.sweep() == 0)
            _ = try await Verifier(store: engine.base).verify()
        }
    }
}
