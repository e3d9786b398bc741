import WalletCore

/// Makes every table that can be rebuilt anew from the log.
package struct Rebuilder: Sendable {
    private let store: any LedgerStore

    package init(store: any LedgerStore) {
        self.store = store
    }

    /// Rebuilds in one transaction: when it throws, or its process ends, nothing has changed.
    ///
    /// Readers see what was there before until it is done, and writers wait or are turned away.
    ///
    /// - Parameter progress: is told the position that was reached and the last, now and then.
    /// - Throws: ``Verifier/Fault`` where the log itself is not sound.
    /// - Returns: the head, which is as it was.
    package func rebuild(
        progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) async throws -> Head {
        try await store.write { transaction in
            do {
                return try Rebuilder.rebuild(transaction, progress)
            } catch let fault as LogFault {
                throw Verifier.Fault(position: fault.position, reason: fault.reason)
            }
        }
    }

    private static func rebuild(
        _ transaction: any LedgerTransaction, _ progress: (Int64, Int64) -> Void
    ) throws -> Head {
        let head = try transaction.head()
        var log = LogAudit(ledger: head.ledger, epochs: try transaction.epochs())
        try transaction.clearProjections()
        while log.position < head.position {
            let next = log.position + 1
            guard let segment = try transaction.segment(containing: next) else {
                throw LogFault(position: next, reason: "the log has no such position")
            }
            let records = try segment.records().filter { $0.position >= next }
            var append = Append(head: head)
            append.take(try records.map { try log.check($0) }, of: &log)
            try LogAudit.prove(log.takeReversals(), in: transaction)
            try transaction.append(append)
            log.forgetSettled()
            progress(log.position, head.position)
        }
        try log.checkSums()
        guard log.hasReached(head) else {
            throw LogFault(position: log.position, reason: "the head is not the end of the log")
        }
        return head
    }
}

extension Append {
    /// Adds every row that the last events of a log led to, their keys too.
    mutating func take(_ events: [Event], of log: inout LogAudit) {
        project(events, onto: log.state)
        keys = log.keyRecords(of: events)
    }
}
