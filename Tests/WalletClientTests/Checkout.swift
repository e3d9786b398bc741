import WalletClient

/// A shop whose customers pay from their wallets.
struct Checkout {
    let wallets: WalletClient
    /// The wallet that sales are paid into.
    let till: String

    /// Sets the price of an order aside; `nil` where the customer has too little.
    ///
    /// The order's number makes the key: however often this runs, on however many machines, there
    /// is one hold. What is sent under a key must not change, so the expiry comes with the order.
    func authorise(
        order: String, price: Money, customer: String, until expiry: Timestamp
    ) async throws(WalletError) -> String? {
        let options = WalletClient.Options(
            reference: order, idempotencyKey: IdempotencyKey(rawValue: "authorise-\(order)"))
        do {
            return try await wallets.placeHold(
                price, in: customer, expiresAt: expiry, options: options
            ).id
        } catch let error where error.code == .insufficientFunds {
            return nil
        }
    }

    /// Takes what was set aside when the goods are sent.
    func ship(order: String, hold: String) async throws(WalletError) -> String {
        let options = WalletClient.Options(
            idempotencyKey: IdempotencyKey(rawValue: "ship-\(order)"))
        return try await wallets.capture(hold, to: till, options: options).id
    }

    /// Gives a part of the money back.
    func refund(
        order: String, sale: String, minorUnits: Int64
    ) async throws(WalletError) -> Int64 {
        let options = WalletClient.Options(
            description: "Refund of \(order)",
            idempotencyKey: IdempotencyKey(rawValue: "refund-\(order)"))
        return try await wallets.reverse(sale, minorUnits: minorUnits, options: options).amount
    }

    /// Pays many sellers at once. What cannot be paid is told, and does not stop the others.
    func payOut(_ shares: [(seller: String, money: Money)]) async throws(WalletError) -> [String] {
        let operations = shares.map { share in
            WalletClient.Operation.transfer(share.money, from: till, to: share.seller)
        }
        var failures: [String] = []
        let results = try await wallets.batch(operations, atomic: false).value
        for (share, result) in zip(shares, results) {
            switch result {
            case .transaction, .hold: continue
            case .refused(let error): failures.append("\(share.seller): \(error.code)")
            case .unknown: failures.append("\(share.seller): not known yet")
            }
        }
        return failures
    }

    /// Adds up what was sold since an instant. The list may be of any length.
    func turnover(since instant: Timestamp) async throws(WalletError) -> Int64 {
        var sum: Int64 = 0
        let sales = WalletClient.HistoryFilter(type: .capture, from: instant)
        for try await entry in wallets.history(of: till, filter: sales) { sum += entry.change }
        return sum
    }
}
