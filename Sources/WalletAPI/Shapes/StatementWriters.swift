import LedgerEngine
import WalletCore

/// Writes a statement piece by piece; ``drain()`` takes what has been written since.
protocol StatementWriter: Sendable {
    static var contentType: String { get }

    init(_ statement: Statement)
    mutating func begin()
    mutating func movement(_ item: HistoryItem)
    mutating func end()
    mutating func drain() -> [UInt8]
}

/// A statement as JSON; opening and closing are what `balance?at=` answers, and the entries what a
/// history shows.
struct JSONStatementWriter: StatementWriter {
    static let contentType = "application/json"

    private let statement: Statement
    private var json = CanonicalJSON(capacity: 4_096)

    init(_ statement: Statement) {
        self.statement = statement
    }

    mutating func begin() {
        json.beginObject()
        json.member("walletId", statement.wallet)
        json.member("currency", statement.currency)
        json.member("from", statement.from)
        json.member("to", statement.until)
        json.key("opening")
        json.balance(statement.opening, asOf: true)
        json.key("entries")
        json.beginArray()
    }

    mutating func movement(_ item: HistoryItem) { json.historyItem(item) }

    mutating func end() {
        json.endArray()
        json.key("closing")
        json.balance(statement.closing, asOf: true)
        json.member("final", statement.isFinal)
        json.endObject()
    }

    mutating func drain() -> [UInt8] { json.drain() }
}

/// A statement as CSV: a header, a line `opening`, a line `entry` for each movement, and a line
/// `closing`, without which the statement is not whole.
struct CSVStatementWriter: StatementWriter {
    static let contentType = "text/csv; charset=utf-8; header=present"

    /// Amounts are integers of minor units. `held` and `final` stand in the first and last line,
    /// `final` in the last alone.
    static let columns = [
        "row", "at", "transactionId", "type", "amount", "change", "balanceAfter", "held",
        "currency", "from", "to", "reference", "description", "reverses", "holdId", "actor",
        "position", "version", "final",
    ]

    private let statement: Statement
    private var csv = CSV()

    init(_ statement: Statement) {
        self.statement = statement
    }

    mutating func begin() {
        for column in CSVStatementWriter.columns { csv.plain(column) }
        csv.endLine()
        balance("opening", statement.opening, isFinal: nil)
    }

    mutating func movement(_ item: HistoryItem) {
        let event = item.transaction.event
        guard let movement = event.movement, event.postings.count == 2 else { return }
        csv.plain("entry")
        csv.instant(item.entry.recordedAt)
        csv.identifier(movement.transaction)
        csv.plain(event.change.type.transactionName)
        csv.integer(movement.amount.minorUnits)
        csv.integer(item.entry.change)
        csv.integer(item.entry.total)
        csv.empty()
        csv.plain(movement.currency.code)
        csv.identifier(event.postings[0].account.wallet)
        csv.identifier(event.postings[1].account.wallet)
        csv.text(movement.reference)
        csv.text(item.transaction.text.description)
        csv.identifier(event.change.reversedTransaction)
        csv.identifier(event.change.capturedHold)
        csv.text(event.cause.actor.name)
        csv.integer(item.entry.position)
        csv.integer(item.entry.version)
        csv.empty()
        csv.endLine()
    }

    mutating func end() {
        balance("closing", statement.closing, isFinal: statement.isFinal)
    }

    mutating func drain() -> [UInt8] { csv.drain() }

    private mutating func balance(_ row: String, _ view: BalanceView, isFinal: Bool?) {
        csv.plain(row)
        csv.instant(view.at)
        csv.empty(4)
        csv.integer(view.total)
        csv.integer(view.held)
        csv.plain(view.currency.code)
        csv.empty(8)
        csv.integer(view.version)
        csv.plain(isFinal.map { $0 ? "true" : "false" } ?? "")
        csv.endLine()
    }
}

extension Change {
    /// The transaction that this one reverses.
    fileprivate var reversedTransaction: TransactionID? {
        guard case .reversed(_, let original, _) = self else { return nil }
        return original
    }

    /// The hold that this captured.
    fileprivate var capturedHold: HoldID? {
        guard case .holdCaptured(_, let hold, _, _) = self else { return nil }
        return hold
    }
}
