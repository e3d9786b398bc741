package import WalletCore

/// The end of the log: what has been recorded, on which timeline.
package struct Head: Hashable, Sendable {
    package var ledger: LedgerID
    /// The timeline: the microsecond at which it began. A restore, an import or a promotion that
    /// lost events begins a new, greater one, so that nothing remembered of the old is trusted.
    package var epoch: Int64
    /// The position of the last event; 0 before the first.
    package var position: Int64
    /// The hash of the last event; the genesis of the ledger before the first.
    package var hash: Digest
    /// The time of the last event; before the first, that of the ledger's making.
    package var recordedAt: Instant

    package init(
        ledger: LedgerID, epoch: Int64, position: Int64, hash: Digest, recordedAt: Instant
    ) {
        self.ledger = ledger
        self.epoch = epoch
        self.position = position
        self.hash = hash
        self.recordedAt = recordedAt
    }

    /// The head of a ledger without events.
    package init(new ledger: LedgerID, at instant: Instant) {
        self.init(
            ledger: ledger, epoch: instant.microseconds, position: 0,
            hash: .genesis(of: ledger), recordedAt: instant)
    }
}

/// Which timeline recorded which part of the log.
package struct Epoch: Hashable, Sendable {
    package var epoch: Int64
    /// The position of the first event that it could record.
    package var firstPosition: Int64

    package init(epoch: Int64, firstPosition: Int64) {
        self.epoch = epoch
        self.firstPosition = firstPosition
    }
}
