import WalletClient

extension WalletClient.Wallet {
    /// What people see of a wallet.
    var text: String {
        var fields = Fields()
        fields.add("wallet", id)
        fields.add("user", userId)
        fields.add("status", status.rawValue)
        fields.add("total", MajorUnits.text(balance.total, currency) + " " + currency)
        fields.add("held", MajorUnits.text(balance.held, currency) + " " + currency)
        fields.add("available", MajorUnits.text(balance.available, currency) + " " + currency)
        fields.add("version", "\(version)")
        fields.add("opened", "\(createdAt)")
        fields.add("changed", "\(updatedAt)")
        fields.add(metadata)
        return fields.text
    }

    /// A line of a list.
    static let listHeader =
        "WALLET".column(36) + "  " + "STATUS".column(7) + "AVAILABLE".column(20, isRight: true)
        + "TOTAL".column(20, isRight: true) + "  CURRENCY"

    /// A line of a list.
    var line: String {
        id.printable.column(36) + "  " + status.rawValue.printable.column(7)
            + MajorUnits.text(balance.available, currency).column(20, isRight: true)
            + MajorUnits.text(balance.total, currency).column(20, isRight: true)
            + "  \(currency.printable)"
    }
}

extension WalletClient.Balance {
    /// What people see of a balance.
    var text: String {
        var fields = Fields()
        fields.add("total", MajorUnits.text(total, currency) + " " + currency)
        fields.add("held", MajorUnits.text(held, currency) + " " + currency)
        fields.add("available", MajorUnits.text(available, currency) + " " + currency)
        fields.add("version", "\(version)")
        fields.add("as of", "\(at)")
        if final == false { fields.add("final", "no, events may still be recorded before then") }
        if existed == false { fields.add("existed", "no, it was opened later") }
        return fields.text
    }
}

extension WalletClient.Transaction {
    /// What people see of a transaction.
    var text: String {
        var fields = Fields()
        fields.add("transaction", id)
        fields.add("type", type.rawValue)
        fields.add("amount", MajorUnits.text(amount, currency) + " " + currency)
        fields.add("from", from)
        fields.add("to", to)
        fields.add("reference", reference)
        fields.add("description", description)
        fields.add("reverses", reverses)
        if reversedAmount > 0 {
            fields.add("reversed", MajorUnits.text(reversedAmount, currency) + " " + currency)
        }
        fields.add("hold", holdId)
        fields.add("by", actor)
        fields.add("recorded", "\(createdAt)")
        for balance in balances {
            fields.add(
                "balance",
                "\(balance.walletId)  \(MajorUnits.text(balance.total, currency)) \(currency), "
                    + "\(MajorUnits.text(balance.available, currency)) available")
        }
        fields.add(metadata)
        return fields.text
    }
}

extension WalletClient.Hold {
    /// What people see of a hold.
    var text: String {
        var fields = Fields()
        fields.add("hold", id)
        fields.add("wallet", walletId)
        fields.add("amount", MajorUnits.text(amount, currency) + " " + currency)
        fields.add("status", status.rawValue)
        if let capturedAmount, capturedAmount > 0 {
            fields.add("captured", MajorUnits.text(capturedAmount, currency) + " " + currency)
        }
        fields.add("expires", expiresAt.map { "\($0)" })
        fields.add("placed", "\(createdAt)")
        fields.add("reference", reference)
        fields.add("description", description)
        fields.add(metadata)
        return fields.text
    }

    /// Over the lines of a list.
    static let listHeader =
        "HOLD".column(36) + "  " + "STATUS".column(8) + "AMOUNT".column(20, isRight: true)
        + "  CURRENCY  EXPIRES"

    /// A line of a list.
    var line: String {
        id.printable.column(36) + "  " + status.rawValue.printable.column(8)
            + MajorUnits.text(amount, currency).column(20, isRight: true)
            + "  " + currency.printable.column(8) + "  "
            + (expiresAt.map { "\($0)" } ?? "never")
    }
}

extension WalletClient.Entry {
    /// Over the lines of a history.
    static let listHeader =
        "TIME".column(27) + "  " + "TYPE".column(10) + "CHANGE".column(20, isRight: true)
        + "BALANCE".column(20, isRight: true) + "  " + "TRANSACTION".column(36) + "  REFERENCE"

    /// A line of a history.
    var line: String {
        let code = transaction.currency
        return "\(transaction.createdAt)".column(27) + "  "
            + transaction.type.rawValue.printable.column(10)
            + MajorUnits.text(change, code).column(20, isRight: true)
            + MajorUnits.text(balanceAfter, code).column(20, isRight: true)
            + "  " + transaction.id.printable.column(36) + "  "
            + (transaction.reference ?? "").printable
    }
}

extension WalletClient.LogEvent {
    /// What people see of an event: place, time, what happened, and what moved where.
    var line: String {
        let code = event["currency"]?.string ?? ""
        let postings = (event["postings"]?.array ?? []).map { posting in
            let amount = posting["amount"]?.integer ?? 0
            return "\(posting["account"]?.string ?? "?") "
                + (amount > 0 ? "+" : "") + "\(MajorUnits.text(amount, code)) \(code)"
        }
        let subject = event["wallet"]?.string.map { ["wallet:\($0)"] } ?? []
        return "\(position)".column(8, isRight: true) + "  "
            + (recordedAt.map { "\($0)" } ?? "").column(27) + "  "
            + (type ?? "?").printable.column(14)
            + "  " + (postings.isEmpty ? subject : postings).joined(separator: ", ").printable
    }
}

extension Fields {
    fileprivate mutating func add(_ metadata: [String: String]?) {
        for (name, value) in (metadata ?? [:]).sorted(by: { $0.key < $1.key }) {
            add("metadata", "\(name)=\(value)")
        }
    }
}
