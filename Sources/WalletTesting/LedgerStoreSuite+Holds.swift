import LedgerEngine
import WalletCore

/// Holds by what is recorded of them.
extension LedgerStoreSuite {
    private func hold(_ wallet: WalletID, _ amount: Int64, until: Instant?) -> Command {
        .placeHold(
            wallet: wallet, amount: Fixture.amount(amount), currency: nil, expiresAt: until,
            reference: nil)
    }

    func holdsAreListed(_ bench: inout Bench) async throws {
        let wallets = try await bench.openWallets(2)
        let due = bench.clock.now.advanced(byMicroseconds: 1_000_000)
        let later = due.advanced(byMicroseconds: 1)
        try await bench.write([
            hold(wallets[0], 1, until: due), hold(wallets[0], 2, until: later),
            hold(wallets[0], 3, until: nil), hold(wallets[1], 4, until: due),
            hold(wallets[0], 5, until: nil), hold(wallets[0], 6, until: due),
        ])
        let holds = bench.scribe.holds
        try await bench.write([
            .releaseHold(hold: holds[4]), .captureHold(hold: holds[5], amount: nil, to: nil),
        ])
        let state = bench.scribe.state
        try await bench.read { [self] snapshot in
            func listed(
                _ status: HoldStatus, after: HoldID? = nil, limit: Int = 10,
                _ change: (inout HoldQuery) -> Void = { _ in }
            ) throws -> [HoldID] {
                var query = HoldQuery(status: status, after: after, limit: limit)
                change(&query)
                let found = try snapshot.holds(of: wallets[0], query)
                for hold in found { try requireEqual(hold, state.holds[hold.id], "a hold") }
                return found.map(\.id)
            }
            let open = [holds[0], holds[1], holds[2]]
            try requireEqual(try listed(.open), open, "open holds, in their order")
            try requireEqual(try listed(.released), [holds[4]], "released holds")
            try requireEqual(try listed(.captured), [holds[5]], "captured holds")
            try requireEqual(try listed(.expired), [], "holds recorded as expired")
            try requireEqual(try listed(.open, limit: 2), Array(open[..<2]), "a page")
            try requireEqual(
                try listed(.open, after: holds[0]), Array(open[1...]), "what is behind a hold")
            try requireEqual(
                try listed(.open) { $0.expiringBy = due }, [holds[0]], "holds that are due")
            try requireEqual(
                try listed(.open) { $0.expiringAfter = due }, [holds[1], holds[2]],
                "holds that are not due, those that never will be too")
            try requireEqual(
                try listed(.open, limit: 1) { $0.expiringAfter = due }, [holds[1]],
                "the first that is not due")
            try requireEqual(
                try listed(.captured) { $0.expiringBy = due.advanced(byMicroseconds: -1) }, [],
                "captured holds that expired before they were due")
        }
    }

    func expiriesAreSummed(_ bench: inout Bench) async throws {
        let wallets = try await bench.openWallets(2)
        let due = bench.clock.now.advanced(byMicroseconds: 1_000_000)
        try await bench.write([
            hold(wallets[0], 10, until: due),
            hold(wallets[0], 200, until: due.advanced(byMicroseconds: 100)),
            hold(wallets[0], 3_00, until: nil), hold(wallets[1], 400, until: due),
        ])
        // The next command on the wallet records the expiry, late.
        let recorded = due.advanced(byMicroseconds: 50)
        try await bench.write(
            [
                .deposit(
                    wallet: wallets[0], amount: Fixture.amount(1), currency: nil, reference: nil)
            ], at: recorded)
        let expected: [(offset: Int64, count: Int64, sum: Int64)] = [
            (-1, 0, 0), (0, 1, 10), (49, 1, 10), (50, 0, 0), (99, 0, 0), (100, 1, 200),
            (1_000, 1, 200),
        ]
        try await bench.read { [self] snapshot in
            for (offset, count, sum) in expected {
                try requireEqual(
                    try snapshot.unrecordedExpiries(
                        of: wallets[0], at: due.advanced(byMicroseconds: offset)),
                    Expiries(count: count, amount: sum),
                    "what had expired without a record \(offset) µs after the first was due")
            }
            try requireEqual(
                try snapshot.unrecordedExpiries(of: wallets[1], at: due),
                Expiries(count: 1, amount: 400),
                "what had expired of another wallet")
        }
        try await expiriesAreSummedAtEveryInstant(&bench)
    }

    /// Holds that fall due one after the other, of which some are closed before, and whose expiry
    /// is recorded late and in groups.
    private func expiriesAreSummedAtEveryInstant(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let start = bench.scribe.head.recordedAt.advanced(byMicroseconds: 1_000_000)
        let placed = bench.scribe.holds.count
        try await bench.write(
            (0..<24).map { index in
                // Out of order, and some at the same instant.
                let offset = Int64(index * 7 % 12) * 10
                return hold(
                    wallet, Int64(1) << (index % 5), until: start.advanced(byMicroseconds: offset))
            })
        let holds = Array(bench.scribe.holds[placed...])
        try await bench.write([
            .releaseHold(hold: holds[3]), .captureHold(hold: holds[8], amount: nil, to: nil),
        ])
        for offset: Int64 in [35, 36, 90, 150] {
            try await bench.write(
                [
                    .deposit(
                        wallet: wallet, amount: Fixture.amount(1), currency: nil, reference: nil)
                ], at: start.advanced(byMicroseconds: offset))
        }
        let states = holds.compactMap { bench.scribe.state.holds[$0] }
        try await bench.read { [self] snapshot in
            for offset in Int64(-2)...220 {
                let instant = start.advanced(byMicroseconds: offset)
                let expected = states.reduce(into: Expiries()) { sum, hold in
                    guard let expiresAt = hold.expiresAt, expiresAt <= instant,
                        hold.closedAt.map({ $0 > instant }) ?? true
                    else { return }
                    sum.count += 1
                    sum.amount += hold.amount.minorUnits
                }
                try requireEqual(
                    try snapshot.unrecordedExpiries(of: wallet, at: instant), expected,
                    "what had expired without a record after \(offset) µs")
            }
        }
    }
}
