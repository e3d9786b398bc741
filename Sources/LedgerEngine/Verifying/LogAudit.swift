import WalletCore

/// Checks a log event by event, each against all before it, and keeps what the log comes to.
///
/// What it remembers grows with the wallets, the holds that are open, the batches and the
/// transactions that have been reversed, not with the events: see ``forgetSettled()``.
struct LogAudit {
    let ledger: LedgerID
    let epochs: [Epoch]
    private(set) var position: Int64 = 0
    private(set) var hash: Digest
    /// The time of the last event; absent before the first.
    private(set) var recordedAt: Instant?
    private(set) var epoch: Int64 = .min
    private(set) var state = LedgerState()
    /// What has been reversed of the transactions at these positions, in minor units.
    private(set) var reversedAmounts: [Int64: Int64] = [:]
    /// Reversals that have not been held against the transactions that they reverse.
    private var unprovenReversals: [Event] = []
    /// The hold of each wallet that was the last to expire: reads rest on their order.
    private var lastExpired: [WalletID: Hold] = [:]
    private var keys = KeysOfLog()
    /// Holds that were closed and not yet forgotten.
    private(set) var closedHolds: [HoldID] = []

    init(ledger: LedgerID, epochs: [Epoch]) {
        self.ledger = ledger
        self.epochs = epochs
        hash = .genesis(of: ledger)
    }

    /// The head as of the last event; `nil` before the first.
    var head: Head? {
        recordedAt.map { time in
            Head(ledger: ledger, epoch: epoch, position: position, hash: hash, recordedAt: time)
        }
    }

    /// Whether the head is the end of what has been read.
    func hasReached(_ head: Head) -> Bool {
        position == head.position && hash == head.hash
            && recordedAt.map { $0 == head.recordedAt } ?? true
    }

    /// Forgets what no later event can change: references, and holds that have been closed. The
    /// database's unique keys see to it that a reference is not used twice.
    mutating func forgetSettled() {
        state.references.removeAll(keepingCapacity: true)
        for hold in closedHolds { state.holds[hold] = nil }
        closedHolds.removeAll(keepingCapacity: true)
    }

    /// Per currency, the sum of the wallets' totals and the external account, all of which are 0;
    /// per wallet, what its open holds come to, which is what it holds.
    func checkSums() throws(LogFault) {
        var sums = state.external
        for wallet in state.wallets.values { sums[wallet.currency, default: 0] += wallet.total }
        if let (currency, sum) = sums.first(where: { $0.value != 0 }) {
            throw LogFault(
                position: position,
                reason: "wallets and outside differ by \(sum) in \(currency.code)")
        }
        var held: [WalletID: Int64] = [:]
        for hold in state.holds.values where hold.status == .open {
            held[hold.wallet, default: 0] += hold.amount.minorUnits
        }
        for wallet in state.wallets.values where wallet.held != held[wallet.id, default: 0] {
            throw LogFault(
                position: position, reason: "wallet \(wallet.id) holds other than its open holds")
        }
    }

    /// The keys that lead to events which have just been taken in; asked once for each, in order.
    mutating func keyRecords(of events: [Event]) -> [KeyRecord] {
        events.flatMap { keys.records(of: $0) }
    }

    /// Takes in the next event.
    ///
    /// - Throws: ``LogFault`` where it does not follow from the events before it.
    mutating func check(_ record: LogRecord) throws(LogFault) -> Event {
        func require(_ condition: Bool, _ reason: String) throws(LogFault) {
            guard condition else { throw LogFault(position: record.position, reason: reason) }
        }
        try require(record.position == position + 1, "the position before it is missing")
        let chained = Digest.chain(after: hash, record.bytes)
        try require(chained == record.hash, "the hash does not follow from the bytes")
        let event = try record.event()
        try require(event.canonicalBytes == record.bytes, "the bytes are not canonical")
        try require(
            recordedAt.map { $0 < event.recordedAt } ?? true, "the time does not increase")
        try require(event.epoch >= epoch, "the epoch decreases")
        try require(
            epochs.last { $0.firstPosition <= event.position }?.epoch == event.epoch,
            "the epoch is not the one that the ledger knows for this position")
        try checkPostings(event)
        try require(
            event.cause.idempotency?.batch.map { (0..<max(0, $0.size)).contains($0.index) } ?? true,
            "its place in its batch is impossible")
        try require(event.namesItsPosition, "an identifier is not of this position")
        try checkParties(event)
        try checkBalances(event)
        try checkReversal(event)
        state.evolve(event)
        if case .holdExpired(let id, let wallet, _, _, _) = event.change {
            lastExpired[wallet] = state.holds[id]
        }
        if let hold = event.closedHold { closedHolds.append(hold) }
        hash = record.hash
        recordedAt = event.recordedAt
        epoch = event.epoch
        position = event.position
        return event
    }

    /// Every balance follows from the one before, the postings and the hold that changed.
    private func checkBalances(_ event: Event) throws(LogFault) {
        func fault(_ reason: String) -> LogFault {
            LogFault(position: event.position, reason: reason)
        }
        guard event.balances.map(\.wallet) == event.touchedWallets else {
            throw fault("the balances are not those of the wallets posted to")
        }
        let heldChange = try heldChange(of: event)
        for balance in event.balances {
            let opens = event.change.type == .walletOpened
            guard opens != (state.wallets[balance.wallet] != nil) else {
                throw fault("wallet \(balance.wallet) is opened twice or not at all")
            }
            let before = state.wallets[balance.wallet]
            let total = (before?.total ?? 0) + event.change(of: balance.wallet)
            let held =
                (before?.held ?? 0) + (heldChange.wallet == balance.wallet ? heldChange.amount : 0)
            guard balance.version == (before?.version ?? 0) + 1, balance.total == total,
                balance.held == held, held >= 0, total >= held, total <= Amount.maximum
            else { throw fault("the balance of wallet \(balance.wallet) does not follow") }
        }
    }

    /// By how much the event changes what is held, and of which wallet.
    private func heldChange(
        of event: Event
    ) throws(LogFault) -> (wallet: WalletID?, amount: Int64) {
        func closing(
            _ id: HoldID, of wallet: WalletID, _ amount: Int64, _ currency: Currency
        ) throws(LogFault) {
            guard let hold = state.holds[id], hold.status == .open, hold.wallet == wallet,
                hold.amount.minorUnits == amount, hold.currency == currency
            else {
                throw LogFault(position: event.position, reason: "hold \(id) is not open for it")
            }
            try checkExpiry(of: hold, event)
        }
        switch event.change {
        case .holdPlaced(_, let wallet, let amount, let currency, let expiresAt, _):
            guard state.wallets[wallet]?.currency == currency,
                expiresAt.map({ $0 > event.recordedAt }) ?? true
            else {
                throw LogFault(position: event.position, reason: "the hold is impossible")
            }
            return (wallet, amount.minorUnits)
        case .holdCaptured(let movement, let id, let wallet, let released):
            guard (0...Amount.maximum).contains(released) else {
                throw LogFault(
                    position: event.position, reason: "the capture releases an impossible amount")
            }
            let amount = movement.amount.minorUnits + released
            try closing(id, of: wallet, amount, movement.currency)
            return (wallet, -amount)
        case .holdReleased(let id, let wallet, let amount, let currency),
            .holdExpired(let id, let wallet, let amount, let currency, _):
            try closing(id, of: wallet, amount.minorUnits, currency)
            return (wallet, -amount.minorUnits)
        case .walletOpened, .deposited, .withdrawn, .transferred, .reversed, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            return (nil, 0)
        }
    }

    /// A hold expires when it is due, after all of its wallet that were due before it, and is
    /// neither captured nor released from then on.
    private func checkExpiry(of hold: Hold, _ event: Event) throws(LogFault) {
        func require(_ condition: Bool, _ reason: String) throws(LogFault) {
            guard condition else { throw LogFault(position: event.position, reason: reason) }
        }
        guard case .holdExpired(_, let wallet, _, _, let expiresAt) = event.change else {
            return try require(!hold.isDue(at: event.recordedAt), "hold \(hold.id) has expired")
        }
        try require(
            hold.expiresAt == expiresAt && hold.isDue(at: event.recordedAt),
            "hold \(hold.id) is not due")
        guard let last = lastExpired[wallet], let lastDue = last.expiresAt else { return }
        try require(
            (lastDue, last.id) < (expiresAt, hold.id),
            "hold \(hold.id) was due before one that expired earlier")
    }

    /// Who may take part in what: the accounts fit the type, no money leaves a frozen wallet but
    /// what was held or is taken back, and nothing touches a closed one.
    private func checkParties(_ event: Event) throws(LogFault) {
        func require(_ condition: Bool, _ reason: String) throws(LogFault) {
            guard condition else { throw LogFault(position: event.position, reason: reason) }
        }
        let accounts = event.postings.map(\.account)
        try require(
            event.change.allows(accounts.map(\.wallet)), "the accounts are not those of its type")
        for id in event.touchedWallets {
            try require(state.wallets[id]?.status != .closed, "wallet \(id) is closed")
        }
        switch event.change {
        case .withdrawn, .transferred, .holdPlaced:
            let source = event.touchedWallets.first.flatMap { state.wallets[$0] }
            try require(source?.status != .frozen, "money leaves a frozen wallet")
        case .walletClosed(let id):
            try require(
                state.wallets[id].map { $0.total == 0 && $0.held == 0 } ?? false,
                "wallet \(id) is closed and is not empty")
        case .walletOpened, .deposited, .holdCaptured, .holdReleased, .holdExpired, .reversed,
            .walletFrozen, .walletUnfrozen:
            break
        }
    }

    /// A transaction debits its amount from one account and credits it to another, both of its
    /// currency; nothing else moves money.
    private func checkPostings(_ event: Event) throws(LogFault) {
        func require(_ condition: Bool, _ reason: String) throws(LogFault) {
            guard condition else { throw LogFault(position: event.position, reason: reason) }
        }
        try require(event.isBalanced, "the postings do not sum to zero")
        guard let movement = event.movement else {
            return try require(event.postings.isEmpty, "it moves money and is no transaction")
        }
        let amount = movement.amount.minorUnits
        try require(
            event.postings.map(\.amount) == [-amount, amount], "the postings are not its amount")
        for posting in event.postings {
            switch posting.account {
            case .wallet(let id):
                try require(
                    state.wallets[id]?.currency == movement.currency,
                    "wallet \(id) does not hold the transaction's currency")
            case .external(let currency):
                let sum = state.external[currency, default: 0]
                try require(
                    currency == movement.currency && sum.canTake(posting.amount),
                    "the external account cannot take it")
            }
        }
    }

    private mutating func checkReversal(_ event: Event) throws(LogFault) {
        guard case .reversed(let movement, let original, let reversedTotal) = event.change else {
            return
        }
        let position = original.embeddedPosition
        let sum = reversedAmounts[position, default: 0] + movement.amount.minorUnits
        guard sum == reversedTotal, sum <= Amount.maximum, position < event.position else {
            throw LogFault(position: event.position, reason: "the reversed total does not follow")
        }
        reversedAmounts[position] = sum
        unprovenReversals.append(event)
    }

    /// The reversals that have come since this was last asked, to be proven when the log that they
    /// are in can be looked at: see ``LogAudit/prove(_:in:)``.
    mutating func takeReversals() -> [Event] {
        defer { unprovenReversals = [] }
        return unprovenReversals
    }

    /// Holds reversals against the transactions that they reverse: money goes back the way that it
    /// came, and not more than came.
    static func prove(_ reversals: [Event], in snapshot: any LedgerSnapshot) throws {
        guard !reversals.isEmpty else { return }
        let originals = try snapshot.events(at: reversals.compactMap(\.reversedPosition))
        for event in reversals {
            guard case .reversed(let movement, let id, let total) = event.change else { continue }
            guard let original = originals[id.embeddedPosition],
                let reversed = ReversibleTransaction(original, reversedAmount: total),
                reversed.id == id, reversed.type != .reversed,
                reversed.currency == movement.currency, total <= reversed.amount.minorUnits,
                event.postings.map(\.account) == [reversed.credited, reversed.debited]
            else {
                throw LogFault(
                    position: event.position, reason: "it does not reverse transaction \(id)")
            }
        }
    }
}

extension Change {
    /// Whether money may move so: the debited wallet and the credited one, absent where the account
    /// is outside.
    fileprivate func allows(_ wallets: [WalletID?]) -> Bool {
        switch self {
        case .deposited: wallets.count == 2 && wallets[0] == nil && wallets[1] != nil
        case .withdrawn: wallets.count == 2 && wallets[0] != nil && wallets[1] == nil
        case .transferred: wallets.count == 2 && wallets[0] != nil && wallets[1] != nil
        case .holdCaptured(_, _, let wallet, _): wallets.count == 2 && wallets[0] == wallet
        // Held against the original's accounts.
        case .reversed: wallets.count == 2
        case .walletOpened, .holdPlaced, .holdReleased, .holdExpired, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            wallets.isEmpty
        }
    }
}

extension Int64 {
    /// Whether the sum is a number whose opposite is one too.
    fileprivate func canTake(_ amount: Int64) -> Bool {
        let (sum, overflow) = addingReportingOverflow(amount)
        return !overflow && sum != .min
    }
}

extension Event {
    /// The wallets that the event touches, the debited one first.
    fileprivate var touchedWallets: [WalletID] {
        switch change {
        case .walletOpened(let wallet, _, _), .holdPlaced(_, let wallet, _, _, _, _),
            .holdReleased(_, let wallet, _, _), .holdExpired(_, let wallet, _, _, _),
            .walletFrozen(let wallet), .walletUnfrozen(let wallet), .walletClosed(let wallet):
            [wallet]
        case .deposited, .withdrawn, .transferred, .holdCaptured, .reversed:
            postings.compactMap(\.account.wallet)
        }
    }

    /// The position of the transaction that the event reverses.
    fileprivate var reversedPosition: Int64? {
        guard case .reversed(_, let original, _) = change else { return nil }
        return original.embeddedPosition
    }

    /// The hold that the event closes.
    fileprivate var closedHold: HoldID? {
        switch change {
        case .holdCaptured(_, let hold, _, _), .holdReleased(let hold, _, _, _),
            .holdExpired(let hold, _, _, _, _):
            hold
        case .walletOpened, .deposited, .withdrawn, .transferred, .holdPlaced, .reversed,
            .walletFrozen, .walletUnfrozen, .walletClosed:
            nil
        }
    }

    /// Whether what the event makes carries its position, so that no two things share a name.
    fileprivate var namesItsPosition: Bool {
        switch change {
        case .walletOpened(let wallet, _, _):
            wallet.embeddedPosition == position
        case .holdPlaced(let hold, _, _, _, _, _):
            hold.embeddedPosition == position
        case .deposited, .withdrawn, .transferred, .holdCaptured, .reversed:
            movement?.transaction.embeddedPosition == position
        case .holdReleased, .holdExpired, .walletFrozen, .walletUnfrozen, .walletClosed:
            true
        }
    }
}
