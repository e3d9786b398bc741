import Testing
import WalletCore
import WalletTesting

@Suite("A command that is refused")
struct DecideRefusalTests {
    @Test("says why, with what helps, and changes nothing", arguments: RefusalTable.cases)
    func refused(refusedCase: RefusalCase) {
        let decision = RefusalTable.ledger.decide(
            refusedCase.command, ifMatch: refusedCase.ifMatch)
        #expect(decision.refusal == refusedCase.refusal)
        #expect(decision.events.isEmpty)
    }

    @Test("is refused by one of the reasons of its kind, each of which is tried here")
    func complete() {
        for kind in CommandKind.allCases {
            let tried = RefusalTable.cases.filter { $0.command.kind == kind }
            #expect(Set(tried.map(\.refusal.code)) == RefusalTable.codes(kind), "\(kind)")
        }
        // These are given where a request becomes a command, or its key is looked up.
        let elsewhere: Set<Refusal.Code> = [
            .idempotencyKeyReused, .amountOutOfRange, .currencyUnknown, .batchRefused,
            // These are given to users; see ``DecideForUsersTests``.
            .recipientUnavailable, .forbidden,
        ]
        let all = CommandKind.allCases.reduce(elsewhere) { $0.union(RefusalTable.codes($1)) }
        #expect(all == Set(Refusal.Code.allCases))
    }

    @Test("is remembered unless the reason is not the ledger's state, as the contract lists them")
    func remembered() {
        let forgotten: Set<String> = [
            "WALLET_NOT_FOUND", "TRANSACTION_NOT_FOUND", "HOLD_NOT_FOUND",
            "REFERENCE_ALREADY_USED", "VERSION_MISMATCH", "VALIDATION_FAILED",
            "IDEMPOTENCY_KEY_REUSED", "AMOUNT_OUT_OF_RANGE", "CURRENCY_UNKNOWN", "FORBIDDEN",
        ]
        for code in Refusal.Code.allCases {
            #expect(code.isRemembered == !forgotten.contains(code.rawValue), "\(code)")
        }
    }

    @Test("overflows no external account either")
    func external() {
        let usd = Fixture.currency("USD")
        var ledger = RefusalTable.ledger
        ledger.state.external[usd] = .max - 9
        let refusal = Refusal(.balanceOverflow, [.init("currency", .text("USD"))])
        #expect(ledger.decide(.withdraw(RefusalTable.rich, 10)).refusal == refusal)
        #expect(ledger.decide(.withdraw(RefusalTable.rich, 9)).refusal == nil)
        #expect(ledger.decide(.capture(RefusalTable.open)).refusal == refusal)
        ledger.state.external[usd] = .min + 9
        #expect(ledger.decide(.deposit(RefusalTable.rich, 10)).refusal == refusal)
        #expect(ledger.decide(.deposit(RefusalTable.rich, 9)).refusal == nil)
    }
}

/// Each row takes away one reason after the other; the code is that of the first which is left.
@Suite("Reasons to refuse come in one order")
struct DecideOrderTests {
    typealias Step = (command: Command, ifMatch: Int64?, code: Refusal.Code?)

    private func check(_ steps: [Step], in ledger: SmallLedger = RefusalTable.ledger) {
        for (index, step) in steps.enumerated() {
            let decision = ledger.decide(step.command, ifMatch: step.ifMatch)
            #expect(decision.refusal?.code == step.code, "step \(index)")
        }
    }

    private typealias Table = RefusalTable

    @Test("of a deposit: wallet, reference, version, currency, status, overflow")
    func deposit() {
        check([
            (.deposit(Table.missing, 2, "EUR", reference: "used"), 1, .walletNotFound),
            (.deposit(Table.closed, 2, "EUR", reference: "used"), 1, .referenceAlreadyUsed),
            (.deposit(Table.closed, 2, "EUR", reference: "new"), 1, .versionMismatch),
            (.deposit(Table.closed, 2, "EUR", reference: "new"), 7, .currencyMismatch),
            (.deposit(Table.closed, 2, "USD", reference: "new"), 7, .walletClosed),
            (.deposit(Table.full, 2, "USD", reference: "new"), 7, .balanceOverflow),
            (.deposit(Table.empty, 2, "USD", reference: "new"), 7, nil),
        ])
    }

    @Test("of a withdrawal: wallet, reference, version, currency, status, funds")
    func withdrawal() {
        check([
            (.withdraw(Table.missing, 999, "EUR", reference: "used"), 1, .walletNotFound),
            (.withdraw(Table.frozen, 999, "EUR", reference: "used"), 1, .referenceAlreadyUsed),
            (.withdraw(Table.frozen, 999, "EUR", reference: "new"), 1, .versionMismatch),
            (.withdraw(Table.frozen, 999, "EUR", reference: "new"), 7, .currencyMismatch),
            (.withdraw(Table.frozen, 999, "USD", reference: "new"), 7, .walletFrozen),
            (.withdraw(Table.rich, 999, "USD", reference: "new"), 7, .insufficientFunds),
            (.withdraw(Table.rich, 800, "USD", reference: "new"), 7, nil),
        ])
    }

    @Test("of a transfer: shape, wallets, reference, version, currencies, status, funds, overflow")
    func transfer() {
        check([
            (.transfer(Table.missing, Table.missing, 801, "EUR"), 1, .sameWallet),
            (
                .transfer(Table.missing, Table.yen, 801, "EUR", reference: "used"), 1,
                .walletNotFound
            ),
            (
                .transfer(Table.frozen, Table.missing, 801, "EUR", reference: "used"), 1,
                .walletNotFound
            ),
            (
                .transfer(Table.frozen, Table.yen, 801, "EUR", reference: "used"), 1,
                .referenceAlreadyUsed
            ),
            (.transfer(Table.frozen, Table.yen, 801, "EUR"), 1, .versionMismatch),
            (.transfer(Table.frozen, Table.yen, 801, "EUR"), 7, .currencyMismatch),
            (.transfer(Table.frozen, Table.yen, 801, "USD"), 7, .currencyMismatch),
            (.transfer(Table.frozen, Table.closed, 801, "USD"), 7, .walletFrozen),
            (.transfer(Table.rich, Table.closed, 801, "USD"), 7, .walletClosed),
            (.transfer(Table.rich, Table.full, 801, "USD"), 7, .insufficientFunds),
            (.transfer(Table.rich, Table.full, 800, "USD"), 7, .balanceOverflow),
            (.transfer(Table.rich, Table.empty, 800, "USD"), 7, nil),
        ])
    }

    @Test("of a hold: wallet, reference, version, currency, status, expiry, funds")
    func hold() {
        let now = ManualClock.start
        check([
            (.hold(Table.missing, 999, "EUR", until: now, reference: "used"), 1, .walletNotFound),
            (
                .hold(Table.closed, 999, "EUR", until: now, reference: "used"), 1,
                .referenceAlreadyUsed
            ),
            (.hold(Table.closed, 999, "EUR", until: now), 1, .versionMismatch),
            (.hold(Table.closed, 999, "EUR", until: now), 7, .currencyMismatch),
            (.hold(Table.closed, 999, "USD", until: now), 7, .walletClosed),
            (.hold(Table.frozen, 999, "USD", until: now), 7, .walletFrozen),
            (.hold(Table.rich, 999, "USD", until: now), 7, .validationFailed),
            (.hold(Table.rich, 999, "USD", until: .latest), 7, .insufficientFunds),
            (.hold(Table.rich, 800, "USD", until: .latest), 7, nil),
        ])
    }

    @Test("of a capture: existence, version, the hold, currency, its amount, status, overflow")
    func capture() {
        check([
            (.capture(Table.missingHold, 201, to: Table.missing), 1, .holdNotFound),
            (.capture(Table.captured, 201, to: Table.rich), 1, .sameWallet),
            (.capture(Table.captured, 201, to: Table.missing), 1, .walletNotFound),
            (.capture(Table.captured, 201, to: Table.yen), 1, .versionMismatch),
            (.capture(Table.captured, 201, to: Table.yen), 7, .holdNotOpen),
            (.capture(Table.open, 201, to: Table.yen), 7, .currencyMismatch),
            (.capture(Table.open, 201, to: Table.closed), 7, .holdExceeded),
            (.capture(Table.open, 200, to: Table.closed), 7, .walletClosed),
            (.capture(Table.open, 200, to: Table.full), 7, .balanceOverflow),
            (.capture(Table.open, 200, to: Table.frozen), 7, nil),
        ])
    }

    @Test("of a reversal: existence, version, what can be reversed, how much, status, funds")
    func reversal() {
        var ledger = RefusalTable.ledger
        let toClosed = Sample.transaction(10)
        ledger.add(
            toClosed, .transferred, from: .wallet(Table.closed), to: .wallet(Table.rich), 900)
        check(
            [
                (.reverse(Table.missingTransaction, 999), 1, .transactionNotFound),
                (.reverse(Table.reversal, 999), 1, .versionMismatch),
                (.reverse(Table.reversal, 999), 7, .notReversible),
                (.reverse(Table.reversed, 999), 7, .alreadyReversed),
                (.reverse(toClosed, 999), 7, .reversalExceeded),
                (.reverse(toClosed, 900), 7, .walletClosed),
                (.reverse(Table.spent), 7, .insufficientFunds),
                (.reverse(Table.spent, 800), 7, nil),
            ], in: ledger)
    }

    @Test("of a closing: wallet, version, status, money")
    func close() {
        check([
            (.closeWallet(Table.missing), 1, .walletNotFound),
            (.closeWallet(Table.closed), 1, .versionMismatch),
            (.closeWallet(Table.closed), 7, .walletClosed),
            (.closeWallet(Table.rich), 7, .walletNotEmpty),
            (.closeWallet(Table.empty), 7, nil),
        ])
    }
}
