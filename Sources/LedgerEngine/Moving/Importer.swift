package import WalletCore

/// Fills an empty ledger from an export, and proves every line on the way.
///
/// The ledger is marked while the import goes on, and refuses to be opened or used. A line that is
/// wrong empties it again; a process that ends in the middle leaves the mark, and the next import
/// begins anew.
package struct Importer: Sendable {
    /// Lines in one transaction at most.
    static let transactionLines = 4_096
    /// Bytes of lines in one transaction at most, roughly.
    static let transactionBytes = 8 << 20
    /// Events in one row of the log: few, since reading one event reads its row.
    static let segmentEvents = 64
    /// Bytes of a line at most. The longest that a ledger can hold is the refusal of a batch of
    /// 1,000 operations, each with less than 2 KiB on what stood in its way.
    package static let maximumLine = 8 << 20

    /// Where an export is not what it must be.
    package struct Fault: Error, Hashable {
        /// The first line is 1.
        package var line: Int64
        package var reason: String

        package init(line: Int64, reason: String) {
            self.line = line
            self.reason = reason
        }
    }

    /// Why a ledger cannot be filled.
    package enum Obstacle: Error, Hashable {
        /// There is something in it.
        case notEmpty
        /// Another import has begun anew meanwhile.
        case displaced
    }

    private let store: any LedgerStore
    private let emptyLedger: LedgerID

    /// An importer into a store that opens a ledger whose import is not finished.
    ///
    /// - Parameter emptyLedger: what the ledger is called if the import fails and it is emptied.
    package init(into store: any LedgerStore, emptyLedger: LedgerID) {
        self.store = store
        self.emptyLedger = emptyLedger
    }

    /// Imports a whole ledger: afterwards it has the same head, on a timeline of its own.
    ///
    /// - Parameters:
    ///   - progress: is told the position that was reached and the last, now and then.
    ///   - nextLine: the next line without its line feed, `nil` after the last.
    /// - Throws: ``Fault`` for the first line that is wrong, and then the ledger is empty;
    ///   ``Obstacle``; or what reading and writing throw.
    package func run(
        progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in },
        nextLine: () throws -> [UInt8]?
    ) async throws -> Head {
        var intake = try Intake(nextLine)
        let header = intake.header
        let mark = try await store.write { try $0.beginImport(of: header) }
        do {
            while let load = try intake.nextLoad(nextLine) {
                try await store.write { transaction in
                    try transaction.requireImport(mark)
                    try load.write(to: transaction)
                }
                progress(load.head.position, header.head.position)
            }
            return try await store.write { transaction in
                try transaction.requireImport(mark)
                try transaction.setUnfinishedImport(nil)
                return try transaction.beginEpoch()
            }
        } catch {
            try await empty(mark)
            throw error
        }
    }

    private func empty(_ mark: Instant) async throws {
        let ledger = emptyLedger
        try await store.write { transaction in
            guard try transaction.unfinishedImport() == mark else { return }
            try transaction.clearAll(leaving: Head(new: ledger, at: try transaction.now()))
        }
    }
}

extension LedgerTransaction {
    /// Makes an empty ledger the one of the export, and marks it as unfinished.
    fileprivate func beginImport(of header: ExportHeader) throws -> Instant {
        let now = try now()
        if try unfinishedImport() == nil {
            guard try head().position == 0, try apiKeys().isEmpty, try tally() == Tally(),
                try refusals(after: nil, limit: 1).isEmpty
            else { throw Importer.Obstacle.notEmpty }
        } else {
            try clearAll(leaving: header.start)
        }
        try setTimeline(header.start, epochs: header.epochs)
        try setUnfinishedImport(now)
        return now
    }

    fileprivate func requireImport(_ mark: Instant) throws {
        guard try unfinishedImport() == mark else { throw Importer.Obstacle.displaced }
    }
}
