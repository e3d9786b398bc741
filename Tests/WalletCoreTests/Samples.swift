import WalletCore
import WalletTesting

/// Identifiers that tests read easily, and one value of everything that has bytes.
enum Sample {
    static func wallet(_ number: UInt64) -> WalletID { identifier(0x0A, number) }
    static func hold(_ number: UInt64) -> HoldID { identifier(0x0B, number) }
    static func transaction(_ number: UInt64) -> TransactionID { identifier(0x0C, number) }

    private static func identifier<Kind>(_ kind: UInt64, _ number: UInt64) -> Identifier<Kind> {
        Identifier(high: 0x019B_C138_88C0_7000, low: 0x8000_0000_0000_0000 | kind << 32 | number)
    }

    static func digest(_ byte: UInt64) -> Digest {
        let word = byte &* 0x0101_0101_0101_0101
        return Digest(word, word, word, word)
    }

    static let user = Actor.user(issuer: "https://id.example/", subject: "u-\"17\"\\é\n😀")

    static func stamp(batch: BatchStamp? = nil) -> IdempotencyStamp {
        IdempotencyStamp(key: digest(0x1A), fingerprint: digest(0x2B), batch: batch)
    }

    static func movement(_ minorUnits: Int64, reference: String? = nil) -> Movement {
        Movement(
            transaction: transaction(1), amount: Fixture.amount(minorUnits),
            currency: Fixture.currency("USD"), reference: reference)
    }

    static func event(
        _ change: Change, _ command: CommandKind, actor: Actor = Fixture.shop,
        batch: BatchStamp? = nil, postings: [(Account, Int64)] = [],
        balances: [BalanceAfter] = [], text: Digest? = nil
    ) -> Event {
        Event(
            position: 88_123, epoch: 2,
            recordedAt: ManualClock.start.advanced(byMicroseconds: 1),
            cause: Cause(
                actor: actor, command: command,
                idempotency: actor == .system ? nil : stamp(batch: batch)),
            change: change,
            postings: postings.map { Posting(account: $0, amount: $1) },
            balances: balances, text: text)
    }
}

extension Sample {
    private static let usd = Fixture.currency("USD")
    private static let outside = Account.external(usd)
    private static let later = ManualClock.start.advanced(byMicroseconds: 60_000_000)
    private static func balance(
        _ wallet: UInt64, version: Int64, total: Int64, held: Int64 = 0
    ) -> BalanceAfter {
        BalanceAfter(wallet: Sample.wallet(wallet), version: version, total: total, held: held)
    }

    /// One event of every type, with optional members absent and present, by golden file.
    static let events: [(name: String, event: Event)] =
        [
            (
                "walletOpened",
                event(
                    .walletOpened(wallet: wallet(1), userID: "u-17", currency: usd), .openWallet,
                    balances: [balance(1, version: 1, total: 0)])
            ),
            (
                "walletOpened-user-escapes",
                event(
                    .walletOpened(
                        wallet: wallet(1), userID: "\"\\/\0\u{1F}\u{7F}é€😀", currency: usd),
                    .openWallet, actor: user, balances: [balance(1, version: 1, total: 0)],
                    text: digest(0x3C))
            ),
            (
                "deposited",
                event(
                    .deposited(movement(1_050)), .deposit,
                    postings: [(outside, -1_050), (.wallet(wallet(1)), 1_050)],
                    balances: [balance(1, version: 2, total: 1_050)])
            ),
            (
                "deposited-reference-text",
                event(
                    .deposited(movement(Amount.maximum, reference: "order-42")), .deposit,
                    postings: [(outside, -Amount.maximum), (.wallet(wallet(1)), Amount.maximum)],
                    balances: [balance(1, version: 2, total: Amount.maximum)], text: digest(0x3C))
            ),
            (
                "withdrawn",
                event(
                    .withdrawn(movement(50, reference: "payout")), .withdrawal,
                    postings: [(.wallet(wallet(1)), -50), (outside, 50)],
                    balances: [balance(1, version: 3, total: 1_000, held: 200)])
            ),
            (
                "transferred-batch",
                event(
                    .transferred(movement(1)), .transfer,
                    batch: BatchStamp(
                        key: digest(0x4D), fingerprint: digest(0x5E), index: 7, size: 1_000,
                        isAtomic: true),
                    postings: [(.wallet(wallet(1)), -1), (.wallet(wallet(2)), 1)],
                    balances: [
                        balance(1, version: 4, total: 999, held: 200),
                        balance(2, version: 2, total: 1),
                    ])
            ),
            (
                "transferred-user-batch",
                event(
                    .transferred(movement(1, reference: "")), .transfer, actor: user,
                    batch: BatchStamp(
                        key: digest(0x4D), fingerprint: digest(0x5E), index: 0, size: 1,
                        isAtomic: false),
                    postings: [(.wallet(wallet(1)), -1), (.wallet(wallet(2)), 1)],
                    balances: [balance(1, version: 4, total: 0), balance(2, version: 2, total: 1)])
            ),
        ] + holdEvents + statusEvents

    private static let holdEvents: [(name: String, event: Event)] = [
        (
            "holdPlaced",
            event(
                .holdPlaced(
                    hold: hold(1), wallet: wallet(1), amount: Fixture.amount(200), currency: usd,
                    expiresAt: nil, reference: nil),
                .hold, balances: [balance(1, version: 2, total: 1_000, held: 200)])
        ),
        (
            "holdPlaced-expiry-reference",
            event(
                .holdPlaced(
                    hold: hold(1), wallet: wallet(1), amount: Fixture.amount(200), currency: usd,
                    expiresAt: later, reference: "booking"),
                .hold, balances: [balance(1, version: 2, total: 1_000, held: 200)],
                text: digest(0x3C))
        ),
        (
            "holdCaptured",
            event(
                .holdCaptured(movement(150), hold: hold(1), wallet: wallet(1), released: 50),
                .capture, postings: [(.wallet(wallet(1)), -150), (.wallet(wallet(2)), 150)],
                balances: [balance(1, version: 3, total: 850), balance(2, version: 2, total: 150)])
        ),
        (
            "holdReleased",
            event(
                .holdReleased(
                    hold: hold(1), wallet: wallet(1), amount: Fixture.amount(200), currency: usd),
                .release, balances: [balance(1, version: 3, total: 1_000)])
        ),
        (
            "holdExpired-system",
            event(
                .holdExpired(
                    hold: hold(1), wallet: wallet(1), amount: Fixture.amount(200), currency: usd,
                    expiresAt: later),
                .expire, actor: .system, balances: [balance(1, version: 3, total: 1_000)])
        ),
        (
            "reversed",
            event(
                .reversed(movement(50), reverses: transaction(2), reversedTotal: 75), .reversal,
                postings: [(.wallet(wallet(1)), -50), (outside, 50)],
                balances: [balance(1, version: 3, total: 950)])
        ),
    ]

    private static let statusEvents: [(name: String, event: Event)] = [
        (
            "walletFrozen",
            event(
                .walletFrozen(wallet: wallet(1)), .freeze,
                balances: [balance(1, version: 5, total: 10, held: 5)], text: digest(0x3C))
        ),
        (
            "walletUnfrozen",
            event(
                .walletUnfrozen(wallet: wallet(1)), .unfreeze,
                balances: [balance(1, version: 6, total: 10, held: 5)])
        ),
        (
            "walletClosed",
            event(
                .walletClosed(wallet: wallet(1)), .close,
                balances: [balance(1, version: 7, total: 0)])
        ),
    ]
}

extension Sample {
    private static let text = FreeText(
        description: "lunch \"for two\"", metadata: ["b": "2", "a": "1", "é": "\n"])

    /// One command of every kind, with optional members absent and present, by golden file.
    static let instructions: [(name: String, instruction: Instruction)] = [
        ("openWallet", Instruction(.openWallet(userID: "u-17", currency: usd), text: text)),
        (
            "deposit",
            Instruction(
                .deposit(
                    wallet: wallet(1), amount: Fixture.amount(1_050), currency: nil, reference: nil)
            )
        ),
        (
            "deposit-everything",
            Instruction(
                .deposit(
                    wallet: wallet(1), amount: Fixture.amount(1_050), currency: usd,
                    reference: "order-42"),
                text: text, ifMatch: 7)
        ),
        (
            "withdrawal",
            Instruction(
                .withdraw(
                    wallet: wallet(1), amount: Fixture.amount(Amount.maximum), currency: usd,
                    reference: "\"\u{1}"))
        ),
        (
            "transfer",
            Instruction(
                .transfer(
                    from: wallet(1), to: wallet(2), amount: Fixture.amount(1), currency: nil,
                    reference: "r"),
                text: FreeText(description: ""))
        ),
        (
            "hold",
            Instruction(
                .placeHold(
                    wallet: wallet(1), amount: Fixture.amount(200), currency: nil, expiresAt: nil,
                    reference: nil))
        ),
        (
            "hold-everything",
            Instruction(
                .placeHold(
                    wallet: wallet(1), amount: Fixture.amount(200), currency: usd,
                    expiresAt: later, reference: "booking"),
                text: FreeText(metadata: ["k": ""]), ifMatch: 1)
        ),
        ("capture", Instruction(.captureHold(hold: hold(1), amount: nil, to: nil))),
        (
            "capture-everything",
            Instruction(
                .captureHold(hold: hold(1), amount: Fixture.amount(150), to: wallet(2)),
                text: text, ifMatch: 3)
        ),
        ("release", Instruction(.releaseHold(hold: hold(1)))),
        ("reversal", Instruction(.reverse(transaction: transaction(1), amount: nil))),
        (
            "reversal-partial",
            Instruction(.reverse(transaction: transaction(1), amount: Fixture.amount(25)))
        ),
        ("freeze", Instruction(.freezeWallet(wallet(1)), text: FreeText(description: "fraud"))),
        ("unfreeze", Instruction(.unfreezeWallet(wallet(1)))),
        ("close", Instruction(.closeWallet(wallet(1)), ifMatch: 0)),
    ]

    static let refusals: [(name: String, refusal: Refusal)] = [
        ("bare", Refusal(.notReversible)),
        (
            "members",
            Refusal(
                .insufficientFunds,
                [
                    .init("walletId", .text(wallet(1).description)),
                    .init("available", .integer(0)), .init("requested", .integer(.max)),
                    .init("\"odd\"", .text("\\\n€")), .init("least", .integer(.min)),
                ])
        ),
    ]
}
