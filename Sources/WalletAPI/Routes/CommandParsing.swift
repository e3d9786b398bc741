import LedgerEngine
import WalletCore

/// Takes the members of each command out of its body. A call and an operation of a batch are read
/// by the same function, so that both mean the same.
extension ObjectReader {
    mutating func openWallet() throws(Problem) -> ParsedRequest {
        let userID = try requiredString("userId")
        let code = try requiredString("currency")
        let text = FreeText(metadata: try stringPairs("metadata") ?? [:])
        if !userID.isIdentifier(TextLimits.userID) {
            return .failure(
                .invalid("userId", allowed: "1 to 128 characters, none of them a control"))
        }
        if let refusal = text.refusal { return .failure(refusal) }
        guard let currency = Currency(code) else { return .failure(.unknownCurrency(code)) }
        return .success(Instruction(.openWallet(userID: userID, currency: currency), text: text))
    }

    mutating func deposit(to wallet: WalletID, ifMatch: Int64?) throws(Problem) -> ParsedRequest {
        try MovementOptions(&self).instruction(ifMatch: ifMatch) { amount, currency, reference in
            .deposit(wallet: wallet, amount: amount, currency: currency, reference: reference)
        }
    }

    mutating func withdrawal(
        from wallet: WalletID, ifMatch: Int64?
    ) throws(Problem) -> ParsedRequest {
        try MovementOptions(&self).instruction(ifMatch: ifMatch) { amount, currency, reference in
            .withdraw(wallet: wallet, amount: amount, currency: currency, reference: reference)
        }
    }

    mutating func transfer(ifMatch: Int64?) throws(Problem) -> ParsedRequest {
        let from: WalletID = try identifier("from")
        let to: WalletID = try identifier("to")
        return try MovementOptions(&self).instruction(ifMatch: ifMatch) {
            amount, currency, reference in
            .transfer(from: from, to: to, amount: amount, currency: currency, reference: reference)
        }
    }

    mutating func hold(on wallet: WalletID, ifMatch: Int64?) throws(Problem) -> ParsedRequest {
        let expiresAt = try instant("expiresAt")
        return try MovementOptions(&self).instruction(ifMatch: ifMatch) {
            amount, currency, reference in
            .placeHold(
                wallet: wallet, amount: amount, currency: currency, expiresAt: expiresAt,
                reference: reference)
        }
    }

    mutating func capture(of hold: HoldID, ifMatch: Int64?) throws(Problem) -> ParsedRequest {
        let to: WalletID? = try optionalIdentifier("to")
        return try partialAmount().map { amount in
            Instruction(.captureHold(hold: hold, amount: amount, to: to), ifMatch: ifMatch)
        }
    }

    mutating func reversal(
        of transaction: TransactionID, ifMatch: Int64?
    ) throws(Problem) -> ParsedRequest {
        let text = FreeText(description: try string("description"))
        let amount = try partialAmount()
        if let refusal = text.refusal { return .failure(refusal) }
        return amount.map { amount in
            Instruction(
                .reverse(transaction: transaction, amount: amount), text: text, ifMatch: ifMatch)
        }
    }

    /// A change of a wallet's status, with the reason that its event keeps.
    mutating func statusChange(
        _ command: Command, ifMatch: Int64?
    ) throws(Problem) -> ParsedRequest {
        let reason = try string("reason")
        if let reason, !TextLimits.description.contains(reason.unicodeScalars.count) {
            return .failure(.invalid("reason", allowed: "at most 1000 characters"))
        }
        return .success(
            Instruction(command, text: FreeText(description: reason), ifMatch: ifMatch))
    }

    /// An amount that may be left out, which stands for all that there is.
    private mutating func partialAmount() throws(Problem) -> Result<Amount?, Refusal> {
        guard let minorUnits = try integer("amount") else { return .success(nil) }
        guard let amount = Amount(minorUnits) else { return .failure(.amountOutOfRange) }
        return .success(amount)
    }
}
