import Testing
import WalletCore
import WalletTesting

/// A command that the ledger refuses, and how.
struct RefusalCase: CustomTestStringConvertible {
    var command: Command
    var ifMatch: Int64?
    var refusal: Refusal

    init(
        _ command: Command, ifMatch: Int64? = nil, _ code: Refusal.Code,
        _ members: (String, Refusal.Value)...
    ) {
        self.command = command
        self.ifMatch = ifMatch
        refusal = Refusal(code, members.map { Refusal.Member($0, $1) })
    }

    var testDescription: String { "\(command.kind) refused by \(refusal.code)" }
}

/// A ledger with one wallet, hold and transaction of every sort, and all that it refuses.
enum RefusalTable {
    /// USD, active, 1,000 of which 200 are held.
    static let rich = Sample.wallet(1)
    /// USD, active, empty.
    static let empty = Sample.wallet(2)
    static let yen = Sample.wallet(3)
    /// USD, frozen, 400 of which 50 are held since before.
    static let frozen = Sample.wallet(4)
    static let closed = Sample.wallet(5)
    /// USD, active, as full as a wallet can be, of which 9 are held.
    static let full = Sample.wallet(6)
    static let missing = Sample.wallet(99)

    static let open = Sample.hold(1)
    static let captured = Sample.hold(2)
    static let released = Sample.hold(3)
    static let expired = Sample.hold(4)
    static let ofFrozen = Sample.hold(5)
    static let ofFull = Sample.hold(6)
    static let missingHold = Sample.hold(99)

    /// 300 of which 100 are reversed.
    static let partlyReversed = Sample.transaction(1)
    static let reversed = Sample.transaction(2)
    static let reversal = Sample.transaction(3)
    /// Into `rich`, more than it still has.
    static let spent = Sample.transaction(4)
    static let fromClosed = Sample.transaction(5)
    static let fromFull = Sample.transaction(6)
    static let missingTransaction = Sample.transaction(99)
    /// The transaction that used the reference `used` of every wallet.
    static let user = Sample.transaction(50)

    static let ledger: SmallLedger = {
        let usd = Account.external(Fixture.currency("USD"))
        var ledger = SmallLedger()
        ledger.add(rich, total: 1_000, held: 200)
        ledger.add(empty)
        ledger.add(yen, "JPY", total: 300)
        ledger.add(frozen, total: 400, held: 50, .frozen)
        ledger.add(closed, total: 0, .closed)
        ledger.add(full, total: Amount.maximum, held: 9)
        ledger.add(open, of: rich, 200)
        ledger.add(captured, of: rich, 10, .captured)
        ledger.add(released, of: rich, 10, .released)
        ledger.add(expired, of: rich, 10, .expired, expiresAt: ManualClock.start)
        ledger.add(ofFrozen, of: frozen, 50)
        ledger.add(ofFull, of: full, 9)
        ledger.add(
            partlyReversed, .transferred, from: .wallet(empty), to: .wallet(rich), 300,
            reversed: 100)
        ledger.add(reversed, .deposited, from: usd, to: .wallet(rich), 20, reversed: 20)
        ledger.add(reversal, .reversed, from: .wallet(rich), to: .wallet(empty), 100)
        ledger.add(spent, .deposited, from: usd, to: .wallet(rich), 801)
        ledger.add(fromClosed, .withdrawn, from: .wallet(closed), to: usd, 5)
        ledger.add(fromFull, .transferred, from: .wallet(full), to: .wallet(rich), 5)
        for wallet in [rich, empty, frozen, closed, full] {
            let key = ReferenceKey(
                wallet: wallet, scope: Fixture.shop.scope, reference: "used")
            ledger.state.references[key] = ReferenceUse(id: user, position: 2)
        }
        return ledger
    }()

    private static func id(_ wallet: WalletID) -> (String, Refusal.Value) {
        ("walletId", .text(wallet.description))
    }
    private static func number(_ name: String, _ value: Int64) -> (String, Refusal.Value) {
        (name, .integer(value))
    }
    private static func word(_ name: String, _ value: String) -> (String, Refusal.Value) {
        (name, .text(value))
    }
    private static let used = [
        word("reference", "used"), word("transactionId", user.description),
    ]
}

extension RefusalTable {
    static let cases =
        deposits + withdrawals + transfers + placing + captures + releases
        + reversals + statuses

    private static func reference(_ command: Command) -> RefusalCase {
        RefusalCase(command, .referenceAlreadyUsed, used[0], used[1])
    }
    private static func version(_ command: Command, of wallet: WalletID = rich) -> RefusalCase {
        RefusalCase(command, ifMatch: 8, .versionMismatch, id(wallet), number("version", 7))
    }
    private static func unknown(_ command: Command) -> RefusalCase {
        RefusalCase(command, .walletNotFound, id(missing))
    }
    private static func currency(_ command: Command, of wallet: WalletID = yen) -> RefusalCase {
        let (own, asked) = wallet == yen ? ("JPY", "USD") : ("USD", "EUR")
        return RefusalCase(
            command, .currencyMismatch, id(wallet), word("currency", own), word("requested", asked))
    }
    private static func isFrozen(_ command: Command) -> RefusalCase {
        RefusalCase(command, .walletFrozen, id(frozen))
    }
    private static func isClosed(_ command: Command) -> RefusalCase {
        RefusalCase(command, .walletClosed, id(closed))
    }
    private static func funds(
        _ command: Command, of wallet: WalletID = rich, _ available: Int64, _ requested: Int64
    ) -> RefusalCase {
        RefusalCase(
            command, .insufficientFunds, id(wallet), number("available", available),
            number("requested", requested))
    }
    private static func overflow(
        _ command: Command, of wallet: WalletID = full, _ requested: Int64
    ) -> RefusalCase {
        RefusalCase(
            command, .balanceOverflow, id(wallet), number("allowed", 0),
            number("requested", requested))
    }

    private static let deposits = [
        unknown(.deposit(missing, 1)), reference(.deposit(rich, 1, reference: "used")),
        version(.deposit(rich, 1)), currency(.deposit(rich, 1, "EUR"), of: rich),
        isClosed(.deposit(closed, 1)), overflow(.deposit(full, 1), 1),
        RefusalCase(
            .deposit(empty, Amount.maximum), ifMatch: -1, .versionMismatch, id(empty),
            number("version", 7)),
    ]

    private static let withdrawals = [
        unknown(.withdraw(missing, 1)), reference(.withdraw(rich, 1, reference: "used")),
        version(.withdraw(rich, 1)), currency(.withdraw(rich, 1, "EUR"), of: rich),
        isFrozen(.withdraw(frozen, 1)), isClosed(.withdraw(closed, 1)),
        funds(.withdraw(rich, 801), 800, 801), funds(.withdraw(empty, 1), of: empty, 0, 1),
        funds(.withdraw(rich, Amount.maximum), 800, Amount.maximum),
    ]

    private static let transfers = [
        RefusalCase(.transfer(rich, rich, 1), .sameWallet, id(rich)),
        RefusalCase(.transfer(missing, missing, 1), .sameWallet, id(missing)),
        unknown(.transfer(missing, rich, 1)), unknown(.transfer(rich, missing, 1)),
        reference(.transfer(rich, empty, 1, reference: "used")), version(.transfer(rich, empty, 1)),
        currency(.transfer(rich, empty, 1, "EUR"), of: rich), currency(.transfer(rich, yen, 1)),
        isFrozen(.transfer(frozen, rich, 1)), isClosed(.transfer(closed, rich, 1)),
        isClosed(.transfer(rich, closed, 1)), funds(.transfer(rich, empty, 801), 800, 801),
        overflow(.transfer(rich, full, 800), 800),
    ]

    private static let placing = [
        unknown(.hold(missing, 1)), reference(.hold(rich, 1, reference: "used")),
        version(.hold(rich, 1)), currency(.hold(rich, 1, "EUR"), of: rich),
        isFrozen(.hold(frozen, 1)), isClosed(.hold(closed, 1)),
        funds(.hold(rich, 801), 800, 801),
        RefusalCase(
            .hold(rich, 1, until: ManualClock.start), .validationFailed,
            word("field", "expiresAt"), word("allowed", "a later time")),
        RefusalCase(
            .hold(rich, 1, until: ManualClock.start.advanced(byMicroseconds: 1)),
            .validationFailed, word("field", "expiresAt"), word("allowed", "a later time")),
    ]

    private static func notOpen(_ command: Command, _ hold: HoldID, _ status: String)
        -> RefusalCase
    {
        RefusalCase(
            command, .holdNotOpen, word("holdId", hold.description), word("holdStatus", status))
    }

    private static let captures = [
        RefusalCase(
            .capture(missingHold), .holdNotFound, word("holdId", missingHold.description)),
        unknown(.capture(open, to: missing)),
        RefusalCase(.capture(open, to: rich), .sameWallet, id(rich)),
        version(.capture(open)), version(.capture(open, to: empty)),
        notOpen(.capture(captured), captured, "captured"),
        notOpen(.capture(released), released, "released"),
        notOpen(.capture(expired), expired, "expired"),
        currency(.capture(open, to: yen)),
        RefusalCase(
            .capture(open, 201), .holdExceeded, number("allowed", 200), number("requested", 201)),
        isClosed(.capture(open, to: closed)), overflow(.capture(open, to: full), 200),
    ]

    private static let releases = [
        RefusalCase(
            .releaseHold(hold: missingHold), .holdNotFound,
            word("holdId", missingHold.description)),
        version(.releaseHold(hold: open)),
        notOpen(.releaseHold(hold: captured), captured, "captured"),
        notOpen(.releaseHold(hold: released), released, "released"),
        notOpen(.releaseHold(hold: expired), expired, "expired"),
    ]

    private static let reversals = [
        RefusalCase(
            .reverse(missingTransaction), .transactionNotFound,
            word("transactionId", missingTransaction.description)),
        version(.reverse(partlyReversed)), version(.reverse(fromFull)),
        version(.reverse(fromClosed), of: closed),
        RefusalCase(.reverse(reversal), .notReversible),
        RefusalCase(.reverse(reversed), .alreadyReversed, number("reversedAmount", 20)),
        RefusalCase(.reverse(reversed, 1), .alreadyReversed, number("reversedAmount", 20)),
        RefusalCase(
            .reverse(partlyReversed, 201), .reversalExceeded, number("allowed", 200),
            number("requested", 201)),
        isClosed(.reverse(fromClosed)), funds(.reverse(spent), 800, 801),
        overflow(.reverse(fromFull), 5),
    ]

    private static let statuses = [
        unknown(.freezeWallet(missing)), version(.freezeWallet(rich)),
        isClosed(.freezeWallet(closed)), unknown(.unfreezeWallet(missing)),
        version(.unfreezeWallet(rich)), isClosed(.unfreezeWallet(closed)),
        unknown(.closeWallet(missing)), version(.closeWallet(rich)),
        isClosed(.closeWallet(closed)),
        RefusalCase(
            .closeWallet(rich), .walletNotEmpty, id(rich), number("total", 1_000),
            number("held", 200)),
        RefusalCase(
            .closeWallet(frozen), .walletNotEmpty, id(frozen), number("total", 400),
            number("held", 50)),
    ]

    /// All that a kind of command can be refused by.
    static func codes(_ kind: CommandKind) -> Set<Refusal.Code> {
        let debit: Set<Refusal.Code> = [
            .walletNotFound, .referenceAlreadyUsed, .versionMismatch, .currencyMismatch,
            .walletFrozen, .walletClosed, .insufficientFunds,
        ]
        switch kind {
        case .openWallet, .expire:
            return []
        case .deposit:
            return debit.subtracting([.walletFrozen, .insufficientFunds]).union([.balanceOverflow])
        case .withdrawal:
            return debit
        case .transfer:
            return debit.union([.sameWallet, .balanceOverflow])
        case .hold:
            return debit.union([.validationFailed])
        case .capture:
            return [
                .holdNotFound, .walletNotFound, .sameWallet, .versionMismatch, .holdNotOpen,
                .currencyMismatch, .holdExceeded, .walletClosed, .balanceOverflow,
            ]
        case .release:
            return [.holdNotFound, .versionMismatch, .holdNotOpen]
        case .reversal:
            return [
                .transactionNotFound, .versionMismatch, .notReversible, .alreadyReversed,
                .reversalExceeded, .walletClosed, .insufficientFunds, .balanceOverflow,
            ]
        case .freeze, .unfreeze:
            return [.walletNotFound, .versionMismatch, .walletClosed]
        case .close:
            return [.walletNotFound, .versionMismatch, .walletClosed, .walletNotEmpty]
        }
    }
}
