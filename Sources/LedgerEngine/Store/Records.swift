package import WalletCore

/// One event of one wallet's history: what changed and what it came to.
package struct Entry: Hashable, Sendable {
    package var wallet: WalletID
    package var recordedAt: Instant
    package var position: Int64
    package var version: Int64
    package var type: EventType
    /// Of the total, in minor units.
    package var change: Int64
    package var total: Int64
    package var held: Int64

    package init(
        wallet: WalletID, recordedAt: Instant, position: Int64, version: Int64, type: EventType,
        change: Int64, total: Int64, held: Int64
    ) {
        self.wallet = wallet
        self.recordedAt = recordedAt
        self.position = position
        self.version = version
        self.type = type
        self.change = change
        self.total = total
        self.held = held
    }

    /// The entries of an event, one for each wallet that it touched.
    package static func entries(of event: Event) -> [Entry] {
        event.balances.map { balance in
            Entry(
                wallet: balance.wallet, recordedAt: event.recordedAt, position: event.position,
                version: balance.version, type: event.change.type,
                change: event.change(of: balance.wallet), total: balance.total, held: balance.held)
        }
    }
}

/// Which entries of a wallet are asked for.
package struct EntryQuery: Hashable, Sendable {
    /// How many entries are looked at for one page, unless said otherwise.
    package static let defaultScanLimit = 10_000

    package var types: [EventType]
    /// Inclusive.
    package var from: Instant
    /// Exclusive.
    package var until: Instant
    package var isAscending: Bool
    /// How many at most.
    package var limit: Int
    /// How many are looked at at most, those of other types too.
    package var scanLimit = EntryQuery.defaultScanLimit
    /// Only entries whose transaction used this reference for the wallet.
    package var reference: String?

    package init(
        types: [EventType], from: Instant, until: Instant, isAscending: Bool, limit: Int
    ) {
        self.types = types
        self.from = from
        self.until = until
        self.isAscending = isAscending
        self.limit = limit
    }
}

/// Entries that match, as far as was looked.
package struct EntryPage: Hashable, Sendable {
    package var entries: [Entry]
    /// The time of the last entry that was looked at, where ``EntryQuery/scanLimit`` ended the
    /// page before its own limit did: there may be more behind it.
    package var scannedTo: Instant?

    package init(entries: [Entry] = [], scannedTo: Instant? = nil) {
        self.entries = entries
        self.scannedTo = scannedTo
    }

    /// Takes in the next entry of the wallet.
    ///
    /// - Parameter looked: how many have been looked at, this one included.
    /// - Returns: whether more are wanted.
    package mutating func take(_ entry: Entry, looked: Int, for query: EntryQuery) -> Bool {
        if query.types.contains(entry.type) { entries.append(entry) }
        if entries.count >= query.limit { return false }
        guard looked >= query.scanLimit else { return true }
        scannedTo = entry.recordedAt
        return false
    }
}

/// Which holds of a wallet are asked for, by what is recorded of them.
package struct HoldQuery: Hashable, Sendable {
    /// The status in the record; a hold whose time has come may still be open there.
    package var status: HoldStatus
    /// Only holds that expire later than this, or never.
    package var expiringAfter: Instant?
    /// Only holds that expire at this instant or before.
    package var expiringBy: Instant?
    /// Only holds behind this one.
    package var after: HoldID?
    /// How many at most.
    package var limit: Int

    package init(
        status: HoldStatus, expiringAfter: Instant? = nil, expiringBy: Instant? = nil,
        after: HoldID?, limit: Int
    ) {
        self.status = status
        self.expiringAfter = expiringAfter
        self.expiringBy = expiringBy
        self.after = after
        self.limit = limit
    }

    /// Whether holds that expire then, or never, are asked for.
    func covers(expiry: Instant?) -> Bool {
        guard let expiry else { return expiringBy == nil }
        return expiringAfter.map { expiry > $0 } ?? true && expiringBy.map { expiry <= $0 } ?? true
    }
}

/// What the wallets of one currency hold together, in minor units.
package struct WalletSum: Hashable, Sendable {
    package var currency: Currency
    package var wallets: Int64
    package var total: Int64
    /// What open holds reserve of it, whether or not their time has come.
    package var held: Int64

    package init(currency: Currency, wallets: Int64, total: Int64, held: Int64) {
        self.currency = currency
        self.wallets = wallets
        self.total = total
        self.held = held
    }
}

/// Holds of a wallet that have expired without a record. Each will be one event of the wallet,
/// before any other.
package struct Expiries: Hashable, Sendable {
    package var count: Int64
    /// What they hold, in minor units.
    package var amount: Int64

    package init(count: Int64 = 0, amount: Int64 = 0) {
        self.count = count
        self.amount = amount
    }
}

/// Which event an idempotency key led to; the event has the key and its fingerprint.
///
/// The key of a batch led to the first event of the log that came from the batch.
package struct KeyRecord: Hashable, Sendable {
    package var key: Digest
    package var position: Int64

    package init(key: Digest, position: Int64) {
        self.key = key
        self.position = position
    }
}

/// Tells which keys lead to which events of the log, as the log is read from its beginning.
package struct KeysOfLog: Sendable {
    /// The keys of the batches that events came from so far.
    private var batches: Set<Digest> = []

    package init() {}

    /// The keys that lead to the next event: its own, and that of the batch which it is first of.
    package mutating func records(of event: Event) -> [KeyRecord] {
        guard let stamp = event.cause.idempotency else { return [] }
        var records = [KeyRecord(key: stamp.key, position: event.position)]
        if let batch = stamp.batch, batches.insert(batch.key).inserted {
            records.append(KeyRecord(key: batch.key, position: event.position))
        }
        return records
    }
}

/// A refusal that is remembered under its idempotency key.
package struct RefusalRecord: Hashable, Sendable {
    package var key: Digest
    package var fingerprint: Digest
    package var recordedAt: Instant
    /// Of the request that was refused, so that its answer can be given again.
    package var requestID: String
    package var refusal: Refusal

    package init(
        key: Digest, fingerprint: Digest, recordedAt: Instant, requestID: String, refusal: Refusal
    ) {
        self.key = key
        self.fingerprint = fingerprint
        self.recordedAt = recordedAt
        self.requestID = requestID
        self.refusal = refusal
    }
}

/// The free text of the event at a position.
package struct TextRecord: Hashable, Sendable {
    package var position: Int64
    package var text: SaltedText

    package init(position: Int64, text: SaltedText) {
        self.position = position
        self.text = text
    }
}

/// How much of a transaction has been reversed.
package struct ReversalRecord: Hashable, Sendable {
    /// The original transaction's position.
    package var position: Int64
    /// Minor units.
    package var reversedAmount: Int64

    package init(position: Int64, reversedAmount: Int64) {
        self.position = position
        self.reversedAmount = reversedAmount
    }
}

/// A business reference and who used it first.
package struct ReferenceRecord: Hashable, Sendable {
    package var key: ReferenceKey
    package var use: ReferenceUse

    package init(key: ReferenceKey, use: ReferenceUse) {
        self.key = key
        self.use = use
    }
}

/// Everything that one commit writes.
package struct Append: Hashable, Sendable {
    /// Absent when the commit only remembers refusals.
    package var segment: Segment?
    /// The head afterwards.
    package var head: Head
    package var opened: [Wallet] = []
    package var updated: [Wallet] = []
    package var entries: [Entry] = []
    /// Holds that are new or changed.
    package var holds: [Hold] = []
    package var keys: [KeyRecord] = []
    package var references: [ReferenceRecord] = []
    package var reversals: [ReversalRecord] = []
    package var refusals: [RefusalRecord] = []
    package var texts: [TextRecord] = []
    /// The external accounts that changed, as they are afterwards, in minor units.
    package var external: [Currency: Int64] = [:]

    package init(head: Head) {
        self.head = head
    }
}

/// How many rows the projections have and what they sum to; what the verifier counts against.
package struct Tally: Hashable, Sendable {
    package var wallets: Int64 = 0
    package var entries: Int64 = 0
    package var holds: Int64 = 0
    package var keys: Int64 = 0
    package var references: Int64 = 0
    package var reversals: Int64 = 0
    package var segments: Int64 = 0

    package init() {}
}
