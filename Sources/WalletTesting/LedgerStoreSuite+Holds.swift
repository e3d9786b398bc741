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
}
