package import WalletCore

/// A value that was read, and the head of the snapshot it was read from.
package struct Reading<Value: Sendable>: Sendable {
    package var value: Value
    package var head: Head

    package var token: ConsistencyToken { ConsistencyToken(head) }
}

/// Why a read has no answer.
package enum QueryError: Error, Hashable {
    /// The token is ahead of the log, or of a timeline that was lost.
    case unknownToken
    /// The instant is later than both now and the head, of which the token tells.
    case futureTimestamp(ConsistencyToken)
}

/// A wallet with its free text, which lies beside the log.
package struct WalletView: Sendable {
    package var wallet: Wallet
    package var text: FreeText

    package init(wallet: Wallet, text: FreeText) {
        self.wallet = wallet
        self.text = text
    }
}

/// A transaction's event with what lies beside it.
package struct TransactionView: Sendable {
    package var event: Event
    package var text: FreeText
    /// What has been reversed of it, in minor units.
    package var reversedAmount: Int64

    package init(event: Event, text: FreeText, reversedAmount: Int64) {
        self.event = event
        self.text = text
        self.reversedAmount = reversedAmount
    }
}

/// One line of a wallet's history.
package struct HistoryItem: Sendable {
    package var entry: Entry
    package var transaction: TransactionView
}

/// A page of a wallet's history.
package struct HistoryPage: Sendable {
    package var wallet: Wallet
    package var items: [HistoryItem]
    /// How far was looked, where there may be more although the page is not full.
    package var scannedTo: Instant?
}

/// A wallet's balance at an instant.
package struct BalanceView: Sendable {
    package var wallet: WalletID
    package var currency: Currency
    /// Minor units.
    package var total: Int64
    /// Minor units.
    package var held: Int64
    /// Counts the holds that had expired by then, recorded or not, as ``held`` does.
    package var version: Int64
    package var at: Instant
    /// Whether the wallet had been opened by then.
    package var existed: Bool
    /// False as long as an event could still be recorded at the instant or before.
    package var isFinal: Bool
}

/// Everything that can be asked of a ledger. Reads never wait for writes.
package struct Queries: Sendable {
    private let store: any LedgerStore
    let now: @Sendable () -> Instant

    /// Queries on a store.
    ///
    /// - Parameter now: the clock that "now" is asked of.
    package init(store: any LedgerStore, now: @escaping @Sendable () -> Instant) {
        self.store = store
        self.now = now
    }

    /// Reads from a snapshot that is at the token or past it.
    func read<Value: Sendable>(
        after token: ConsistencyToken?,
        _ body: @escaping @Sendable (any LedgerSnapshot, Head) throws -> Value
    ) async throws -> Reading<Value> {
        try await store.read { snapshot in
            try snapshot.requireFinishedImport()
            let head = try snapshot.head()
            if let token, token != ConsistencyToken(head) {
                guard token.isKnown(to: head, epochs: try snapshot.epochs()) else {
                    throw QueryError.unknownToken
                }
            }
            return Reading(value: try body(snapshot, head), head: head)
        }
    }

    package func head() async throws -> Head {
        try await store.read { snapshot in
            try snapshot.requireFinishedImport()
            return try snapshot.head()
        }
    }

    /// A wallet; `nil` where there is none.
    package func wallet(
        _ id: WalletID, after token: ConsistencyToken?
    ) async throws -> Reading<WalletView?> {
        try await read(after: token) { [now] snapshot, head in
            guard var wallet = try snapshot.wallets([id]).first else { return nil }
            try wallet.dropExpiredHolds(at: max(now(), head.recordedAt), snapshot)
            return WalletView(
                wallet: wallet, text: try snapshot.text(at: wallet.openedPosition))
        }
    }

    /// A user's wallets in order of creation.
    package func wallets(
        ofUser userID: String, startingAfter: WalletID?, limit: Int,
        after token: ConsistencyToken?
    ) async throws -> Reading<[WalletView]> {
        try await read(after: token) { [now] snapshot, head in
            let wallets = try snapshot.wallets(
                ofUser: userID, after: startingAfter, limit: limit)
            let texts = try snapshot.texts(wallets.map(\.openedPosition)).byPosition
            return try wallets.map { wallet in
                var wallet = wallet
                try wallet.dropExpiredHolds(at: max(now(), head.recordedAt), snapshot)
                return WalletView(
                    wallet: wallet, text: texts[wallet.openedPosition] ?? FreeText())
            }
        }
    }

    /// A wallet's balance now, or as of an instant; `nil` where there is no such wallet.
    ///
    /// Without an instant it is as of the head, and so final: what is recorded later is later than
    /// the head. Only if a hold of the wallet has expired since is it as of now, and an event that
    /// is being recorded may still come before that.
    ///
    /// - Throws: ``QueryError/futureTimestamp`` for an instant later than both now and the head.
    package func balance(
        of id: WalletID, at instant: Instant?, after token: ConsistencyToken?
    ) async throws -> Reading<BalanceView?> {
        try await read(after: token) { [now] snapshot, head in
            guard var wallet = try snapshot.wallets([id]).first else { return nil }
            let present = max(now(), head.recordedAt)
            if let instant {
                guard instant <= present else {
                    throw QueryError.futureTimestamp(ConsistencyToken(head))
                }
                return try snapshot.balance(of: wallet, at: instant, head)
            }
            var atHead = wallet
            try atHead.dropExpiredHolds(at: head.recordedAt, snapshot)
            try wallet.dropExpiredHolds(at: present, snapshot)
            let isFinal = wallet == atHead
            return BalanceView(
                wallet: id, currency: wallet.currency, total: wallet.total, held: wallet.held,
                version: wallet.version, at: isFinal ? head.recordedAt : present, existed: true,
                isFinal: isFinal || present <= head.recordedAt)
        }
    }

    /// The entries of a wallet that moved money; `nil` where there is no such wallet.
    ///
    /// A page looks at ``EntryQuery/scanLimit`` entries at most, and then may be short or empty.
    package func history(
        of id: WalletID, _ query: EntryQuery, after token: ConsistencyToken?
    ) async throws -> Reading<HistoryPage?> {
        try await read(after: token) { snapshot, _ in
            guard let wallet = try snapshot.wallets([id]).first else { return nil }
            let page = try snapshot.matchingEntries(of: id, query)
            let views = try snapshot.transactions(at: page.entries.map(\.position))
            let items = try page.entries.map { entry in
                guard let view = views[entry.position] else {
                    throw StoreError.corrupted(reason: "an entry names an event that is not there")
                }
                return HistoryItem(entry: entry, transaction: view)
            }
            return HistoryPage(wallet: wallet, items: items, scannedTo: page.scannedTo)
        }
    }

    /// A transaction; `nil` where there is none.
    package func transaction(
        _ id: TransactionID, after token: ConsistencyToken?
    ) async throws -> Reading<TransactionView?> {
        try await read(after: token) { snapshot, head in
            let position = id.embeddedPosition
            guard (1...max(head.position, 1)).contains(position),
                let view = try snapshot.transactions(at: [position])[position],
                view.event.movement?.transaction == id
            else { return nil }
            return view
        }
    }

    /// A place in the log: the position on the timeline that it belongs to.
    ///
    /// - Parameter epoch: the timeline that the caller believes it belongs to, if he has a belief.
    /// - Throws: ``QueryError/unknownToken`` for a position that the log has not come to, or that
    ///   was recorded on another timeline.
    package func place(
        _ position: Int64, epoch: Int64?, after token: ConsistencyToken?
    ) async throws -> Reading<ConsistencyToken> {
        try await read(after: token) { snapshot, head in
            let epochs = try snapshot.epochs()
            let recordedIn = epochs.last { $0.firstPosition <= position } ?? epochs.first
            let place = ConsistencyToken(
                epoch: epoch ?? recordedIn?.epoch ?? head.epoch, position: position)
            guard place.isKnown(to: head, epochs: epochs) else { throw QueryError.unknownToken }
            return place
        }
    }

    /// The log after a position, in order.
    ///
    /// - Parameter limit: how many records at most.
    package func log(
        after position: Int64, limit: Int, token: ConsistencyToken?
    ) async throws -> Reading<[LogRecord]> {
        try await read(after: token) { snapshot, head in
            guard position < head.position, limit > 0 else { return [] }
            let last = min(head.position, position + Int64(limit))
            let records = try snapshot.records(at: Array(position + 1...last))
            return records.values.sorted { $0.position < $1.position }
        }
    }
}

extension Wallet {
    /// Takes off what is held by holds that have expired, whether or not that is recorded. The
    /// version counts their events, which will be recorded before any other of the wallet: so no
    /// version has two contents, and it is the one that the next command will find.
    fileprivate mutating func dropExpiredHolds(
        at instant: Instant, _ snapshot: any LedgerSnapshot
    ) throws {
        guard held > 0 else { return }
        let expiries = try snapshot.unrecordedExpiries(of: id, at: instant)
        held -= expiries.amount
        version += expiries.count
    }
}

extension LedgerSnapshot {
    /// A wallet's balance as of an instant that is not later than the present.
    func balance(of wallet: Wallet, at instant: Instant, _ head: Head) throws -> BalanceView {
        var view = BalanceView(
            wallet: wallet.id, currency: wallet.currency, total: 0, held: 0, version: 0,
            at: instant, existed: false, isFinal: instant <= head.recordedAt)
        guard let entry = try lastEntry(of: wallet.id, at: instant) else { return view }
        view.total = entry.total
        view.held = entry.held
        view.version = entry.version
        view.existed = true
        if entry.held > 0 {
            let expiries = try unrecordedExpiries(of: wallet.id, at: instant)
            view.held -= expiries.amount
            view.version += expiries.count
        }
        return view
    }

    /// How many callers' uses of one reference are looked at; each caller has one a wallet.
    private var referenceLimit: Int { 1_000 }

    fileprivate func matchingEntries(of id: WalletID, _ query: EntryQuery) throws -> EntryPage {
        guard let reference = query.reference else { return try entries(of: id, query) }
        let uses = try references(of: id, Array(reference.utf8), limit: referenceLimit)
        let matching = try events(at: uses.map(\.position)).values
            .flatMap { Entry.entries(of: $0) }
            .filter { entry in
                entry.wallet == id && query.types.contains(entry.type)
                    && entry.recordedAt >= query.from && entry.recordedAt < query.until
            }
            .sorted { query.isAscending == ($0.position < $1.position) }
        return EntryPage(entries: Array(matching.prefix(query.limit)))
    }

    func text(at position: Int64) throws -> FreeText {
        try texts([position]).first?.text.text ?? FreeText()
    }

    fileprivate func transactions(at positions: [Int64]) throws -> [Int64: TransactionView] {
        let events = try events(at: positions)
        let texts = try texts(positions).byPosition
        let reversed = try reversals(positions)
        return events.mapValues { event in
            TransactionView(
                event: event, text: texts[event.position] ?? FreeText(),
                reversedAmount: reversed.first { $0.position == event.position }?
                    .reversedAmount ?? 0)
        }
    }
}

extension [TextRecord] {
    var byPosition: [Int64: FreeText] {
        Dictionary(map { ($0.position, $0.text.text) }, uniquingKeysWith: { first, _ in first })
    }
}
