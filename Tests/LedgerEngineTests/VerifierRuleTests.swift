import LedgerEngine
import Testing
import WalletCore
import WalletTesting

/// What someone writes who can hash a log anew and make every balance follow, but not change what
/// is allowed.
@Suite struct VerifierRuleTests {
    let ledger: SoundLedger

    init() async throws {
        ledger = try await SoundLedger()
    }

    private var ada: WalletID { ledger.scribe.wallets[0] }
    private var bob: WalletID { ledger.scribe.wallets[1] }
    private var outside: Account { .external(Fixture.currency("EUR")) }

    /// The fault of a log that was changed so, whose balances follow again.
    private func forgery(
        _ change: (inout [Event]) -> Void
    ) async -> Verifier.Fault? {
        let store = ledger.forged { events in
            change(&events)
            events.makeBalancesFollow()
        }
        return await #expect(throws: Verifier.Fault.self) {
            try await Verifier(store: store).verify()
        }
    }

    @Test func untouchedLogIsStillSound() async throws {
        let store = ledger.forged { $0.makeBalancesFollow() }
        _ = try await Verifier(store: store).verify()
    }

    // MARK: Accounts

    @Test func accountsThatDoNotFitTheTypeAreFound() async throws {
        let deposit = try #require(ledger.events[3].movement)
        let transfer = try #require(ledger.events[4].movement)
        for change in [Change.withdrawn(deposit), .transferred(deposit)] {
            let fault = await forgery { $0[3].change = change }
            #expect(fault.isAt(4, "the accounts are not those of its type"))
        }
        for change in [Change.withdrawn(transfer), .deposited(transfer)] {
            let fault = await forgery { $0[4].change = change }
            #expect(fault.isAt(5, "the accounts are not those of its type"))
        }
    }

    @Test func walletThatIsTouchedWithoutReasonIsFound() async {
        let fault = await forgery { events in
            events[6].balances.append(
                BalanceAfter(wallet: bob, version: 0, total: 0, held: 0))
        }
        #expect(fault.isAt(7, "the balances are not those of the wallets posted to"))
    }

    @Test func captureFromAnotherWalletIsFound() async {
        let fault = await forgery { events in
            events[8].postings = events[8].postings.swappingAccounts
            events[8].balances.reverse()
        }
        #expect(fault.isAt(9, "the accounts are not those of its type"))
    }

    @Test func captureOfTheHoldOfAnotherWalletIsFound() async {
        let fault = await forgery { events in
            guard case .holdCaptured(let movement, let hold, _, let released) = events[8].change
            else { return }
            events[8].change = .holdCaptured(
                movement, hold: hold, wallet: bob, released: released)
            events[8].postings = events[8].postings.swappingAccounts
            events[8].balances.reverse()
        }
        #expect(fault?.position == 9)
        #expect(fault?.reason.contains("is not open for it") == true)
    }

    // MARK: Reversals

    @Test func reversalThatSendsTheMoneyOnceMoreIsFound() async {
        let fault = await forgery { events in
            events[12].postings = events[12].postings.swappingAccounts
            events[12].balances.reverse()
        }
        #expect(fault?.position == 13)
        #expect(fault?.reason.contains("does not reverse") == true)
    }

    @Test func reversalOfAnotherTransactionIsFound() async {
        let deposit = ledger.scribe.transactions[0]
        let fault = await forgery { events in
            guard case .reversed(let movement, _, let total) = events[12].change else { return }
            events[12].change = .reversed(movement, reverses: deposit, reversedTotal: total)
            guard case .reversed(let next, let id, _) = events[13].change else { return }
            events[13].change = .reversed(
                next, reverses: id, reversedTotal: next.amount.minorUnits)
        }
        #expect(fault?.position == 13)
    }

    @Test func reversalOfMoreThanTheTransactionIsFound() async {
        let fault = await forgery { events in
            guard case .reversed(var movement, let id, let total) = events[13].change
            else { return }
            movement.amount = Fixture.amount(71)
            events[13].change = .reversed(movement, reverses: id, reversedTotal: total + 21)
            events[13].postings[0].amount = -71
            events[13].postings[1].amount = 71
        }
        #expect(fault?.position == 14)
        #expect(fault?.reason.contains("does not reverse") == true)
    }

    // MARK: Frozen and closed

    @Test func moneyThatLeavesAFrozenWalletIsFound() async throws {
        let moved = try #require(ledger.events[13].movement)
        let debit = Posting(account: .wallet(ada), amount: -moved.amount.minorUnits)
        for target in [outside, .wallet(bob)] {
            let fault = await forgery { events in
                events.freeze(ada, at: 12)
                events[13].change = target == outside ? .withdrawn(moved) : .transferred(moved)
                events[13].postings = [
                    debit, Posting(account: target, amount: moved.amount.minorUnits),
                ]
                events[13].touch([ada] + (target.wallet.map { [$0] } ?? []))
            }
            #expect(fault.isAt(14, "money leaves a frozen wallet"))
        }
        let fault = await forgery { $0.freeze(ada, at: 4) }
        #expect(fault.isAt(6, "money leaves a frozen wallet"))
    }

    @Test func closedWalletThatIsTouchedIsFound() async {
        let closed = ledger.scribe.wallets[2]
        let fault = await forgery { events in
            events[16].change = .walletClosed(wallet: closed)
            events[16].touch([closed])
        }
        #expect(fault.isAt(18, "wallet \(closed) is closed"))
    }

    @Test func closingOfAWalletThatIsNotEmptyIsFound() async {
        let fault = await forgery { $0[15].change = .walletClosed(wallet: ada) }
        #expect(fault.isAt(16, "wallet \(ada) is closed and is not empty"))
    }

    // MARK: Expiries

    @Test func holdThatExpiresBeforeItIsDueIsFound() async {
        let later = SoundLedger.expiry.advanced(byMicroseconds: 1)
        let fault = await forgery { events in
            events[7].change = events[7].change.expiring(at: later)
            events[10].change = events[10].change.expiring(at: later)
        }
        #expect(fault?.position == 11)
        #expect(fault?.reason.contains("is not due") == true)
    }

    @Test func holdThatIsCapturedAfterItHasExpiredIsFound() async {
        let fault = await forgery { events in
            events[5].change = events[5].change.expiring(
                at: events[5].recordedAt.advanced(byMicroseconds: 1))
        }
        #expect(fault?.position == 9)
        #expect(fault?.reason.contains("has expired") == true)
    }

    @Test func holdThatWasDueBeforeItWasPlacedIsFound() async {
        let fault = await forgery { events in
            events[5].change = events[5].change.expiring(at: events[5].recordedAt)
        }
        #expect(fault.isAt(6, "the hold is impossible"))
    }

    @Test func holdsThatExpireOutOfOrderAreFound() async throws {
        let due = SoundLedger.expiry
        let ledger = try await SoundLedger([
            { _ in [.openWallet(userID: "ada", currency: Fixture.currency("EUR"))] },
            { scribe in
                [
                    deposit(scribe.wallets[0], 100), hold(scribe.wallets[0], 1, until: due),
                    hold(scribe.wallets[0], 2, until: due.advanced(byMicroseconds: 1)),
                ]
            },
            { scribe in [deposit(scribe.wallets[0], 1)] },
        ])
        #expect(ledger.events.map(\.change.type)[4...5] == [.holdExpired, .holdExpired])
        let store = ledger.forged { events in
            let first = events[4].change
            events[4].change = events[5].change
            events[5].change = first
            events.makeBalancesFollow()
        }
        let fault = await #expect(throws: Verifier.Fault.self) {
            try await Verifier(store: store).verify()
        }
        #expect(fault?.position == 6)
        #expect(fault?.reason.contains("was due before") == true)
    }
}
