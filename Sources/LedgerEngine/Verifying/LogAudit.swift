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

    /// Per currency, the sum of the wallets' totals and the external account; all are 0.
    func checkSums() throws(LogFault) {
        var sums = state.external
        for wallet in state.wallets.values { sums[wallet.currency, default: 0] += wallet.total }
        guard let (currency, sum) = sums.first(where: { $0.value != 0 }) else { return }
        throw LogFault(
            position: position, reason: "wallets and outside differ by \(sum) in \(currency.code)")
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
        try checkBalances(event)
        try checkReversal(event)
        state.evolve(event)
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
        let touched = event.balances.map(\.wallet)
        guard Set(event.postings.compactMap(\.account.wallet)).isSubset(of: Set(touched)),
            Set(touched).count == touched.count, !touched.isEmpty
        else { throw fault("the balances are not those of the wallets posted to") }
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
        func closing(_ id: HoldID, _ amount: Int64) throws(LogFault) {
            guard let hold = state.holds[id], hold.status == .open,
                hold.amount.minorUnits == amount
            else {
                throw LogFault(position: event.position, reason: "hold \(id) is not open for it")
            }
        }
        switch event.change {
        case .holdPlaced(_, let wallet, let amount, _, _, _):
            return (wallet, amount.minorUnits)
        case .holdCaptured(let movement, let id, let wallet, let released):
            guard (0...Amount.maximum).contains(released) else {
                throw LogFault(
                    position: event.position, reason: "the capture releases an impossible amount")
            }
            let amount = movement.amount.minorUnits + released
            try closing(id, amount)
            return (wallet, -amount)
        case .holdReleased(let id, let wallet, let amount, _),
            .holdExpired(let id, let wallet, let amount, _, _):
            try closing(id, amount.minorUnits)
            return (wallet, -amount.minorUnits)
        case .walletOpened, .deposited, .withdrawn, .transferred, .reversed, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            return (nil, 0)
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
                    currency == movement.currency
                        && !sum.addingReportingOverflow(posting.amount).overflow,
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
    }
}

extension Event {
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
