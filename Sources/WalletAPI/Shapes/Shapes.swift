import LedgerEngine
import WalletCore

/// The JSON shapes of the contract.
extension CanonicalJSON {
    mutating func wallet(_ view: WalletView) {
        let wallet = view.wallet
        beginObject()
        member("id", wallet.id)
        member("userId", wallet.userID)
        member("currency", wallet.currency)
        member("status", wallet.status.name)
        key("balance")
        beginObject()
        amounts(total: wallet.total, held: wallet.held)
        endObject()
        member("version", wallet.version)
        member("createdAt", wallet.createdAt)
        member("updatedAt", wallet.updatedAt)
        metadata(view.text)
        endObject()
    }

    mutating func balance(_ view: BalanceView, asOf isHistorical: Bool) {
        beginObject()
        member("walletId", view.wallet)
        member("currency", view.currency)
        amounts(total: view.total, held: view.held)
        member("version", view.version)
        member("at", view.at)
        member("final", view.isFinal)
        if isHistorical { member("existed", view.existed) }
        endObject()
    }

    mutating func transaction(_ view: TransactionView) {
        let event = view.event
        guard let movement = event.movement, event.postings.count == 2 else {
            null()
            return
        }
        beginObject()
        member("id", movement.transaction)
        member("type", event.change.type.transactionName)
        member("amount", movement.amount.minorUnits)
        member("currency", movement.currency)
        optional("from", event.postings[0].account.wallet)
        optional("to", event.postings[1].account.wallet)
        optional("reference", movement.reference)
        optional("description", view.text.description)
        member("createdAt", event.recordedAt)
        member("position", event.position)
        key("balances")
        beginArray()
        for balance in event.balances {
            beginObject()
            member("walletId", balance.wallet)
            amounts(total: balance.total, held: balance.held)
            member("version", balance.version)
            endObject()
        }
        endArray()
        switch event.change {
        case .reversed(_, let original, _): member("reverses", original)
        default: nullMember("reverses")
        }
        member("reversedAmount", view.reversedAmount)
        switch event.change {
        case .holdCaptured(_, let hold, _, _): member("holdId", hold)
        default: nullMember("holdId")
        }
        member("actor", event.cause.actor.name)
        metadata(view.text)
        endObject()
    }

    mutating func hold(_ view: HoldView) {
        let hold = view.hold
        beginObject()
        member("id", hold.id)
        member("walletId", hold.wallet)
        member("amount", hold.amount.minorUnits)
        member("currency", hold.currency)
        member("status", hold.status.name)
        member("capturedAmount", hold.capturedAmount)
        optional("reference", view.reference)
        optional("description", view.text.description)
        if let expiresAt = hold.expiresAt {
            member("expiresAt", expiresAt)
        } else {
            nullMember("expiresAt")
        }
        member("createdAt", hold.createdAt)
        metadata(view.text)
        endObject()
    }

    mutating func historyItem(_ item: HistoryItem) {
        beginObject()
        key("transaction")
        transaction(item.transaction)
        member("change", item.entry.change)
        member("balanceAfter", item.entry.total)
        member("version", item.entry.version)
        endObject()
    }

    /// An event as the log has it: its exact bytes are the `event` member.
    mutating func logRecord(_ record: LogRecord) {
        beginObject()
        member("position", record.position)
        member("hash", record.hash)
        key("event")
        raw(record.bytes)
        endObject()
    }

    /// A page: its items and the cursor of the next.
    mutating func page<Item>(
        _ items: [Item], next: String?, _ write: (inout CanonicalJSON, Item) -> Void
    ) {
        beginObject()
        key("items")
        beginArray()
        for item in items { write(&self, item) }
        endArray()
        optional("next", next)
        endObject()
    }

    private mutating func amounts(total: Int64, held: Int64) {
        member("total", total)
        member("held", held)
        member("available", total - held)
    }

    private mutating func metadata(_ text: FreeText) {
        key("metadata")
        beginObject()
        for key in text.metadata.keys.sorted() {
            member(escaping: key, text.metadata[key] ?? "")
        }
        endObject()
    }

    private mutating func optional(_ name: StaticString, _ text: String?) {
        if let text { member(name, text) } else { nullMember(name) }
    }

    private mutating func optional(_ name: StaticString, _ wallet: WalletID?) {
        if let wallet { member(name, wallet) } else { nullMember(name) }
    }
}

extension EventType {
    /// What the API calls transactions of this type.
    var transactionName: String {
        switch self {
        case .deposited: "deposit"
        case .withdrawn: "withdrawal"
        case .transferred: "transfer"
        case .holdCaptured: "capture"
        case .reversed: "reversal"
        case .walletOpened, .holdPlaced, .holdReleased, .holdExpired, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            name
        }
    }

    /// The types that move money, which a history can be filtered by.
    static let transactions = EventType.allCases.filter(\.isTransaction)
}
