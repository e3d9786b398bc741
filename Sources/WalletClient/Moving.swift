extension WalletClient {
    /// What may be said along with a movement; all of it is optional.
    public struct Options: Hashable, Sendable {
        /// Your own identifier of the business at hand, 1 to 128 characters, unique for each
        /// debited wallet (for a deposit, the credited one): a second payment of the same order is
        /// refused with ``WalletError/Code/referenceAlreadyUsed`` even under another key.
        public var reference: String?
        /// Your own words, up to 1,000 characters.
        public var description: String?
        /// Your own pairs, up to 20, 4 KiB altogether.
        public var metadata: [String: String]
        /// The version that the debited wallet (for a deposit, the credited one) must still have;
        /// otherwise ``WalletError/Code/versionMismatch``.
        public var ifVersion: Int64?
        /// The key of the write; `nil` for a fresh one.
        public var idempotencyKey: IdempotencyKey?

        /// Options; without arguments, none.
        public init(
            reference: String? = nil, description: String? = nil, metadata: [String: String] = [:],
            ifVersion: Int64? = nil, idempotencyKey: IdempotencyKey? = nil
        ) {
            self.reference = reference
            self.description = description
            self.metadata = metadata
            self.ifVersion = ifVersion
            self.idempotencyKey = idempotencyKey
        }
    }

    /// Opens an empty wallet.
    ///
    /// - Parameters:
    ///   - userID: whose it is, 1 to 128 characters.
    ///   - currency: ISO 4217, upper case.
    ///   - metadata: your own pairs, up to 20, 4 KiB altogether.
    ///   - idempotencyKey: the key of the write; `nil` for a fresh one.
    public func openWallet(
        userID: String, currency: String, metadata: [String: String] = [:],
        idempotencyKey: IdempotencyKey? = nil
    ) async throws(WalletError) -> Receipt<Wallet> {
        let body = RequestBody(userId: userID, currency: currency, metadata: metadata.ifNotEmpty)
        return try await write("/v1/wallets", body, Options(idempotencyKey: idempotencyKey))
    }

    /// Brings money from outside into a wallet.
    ///
    /// - Parameters:
    ///   - money: 1 … 2^53 − 1 minor units of the wallet's currency.
    ///   - wallet: the wallet's id.
    public func deposit(
        _ money: Money, into wallet: String, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Transaction> {
        try await write(
            "/v1/wallets/\(segment(wallet))/deposits", RequestBody(money, options), options)
    }

    /// Takes money out of a wallet, to the outside.
    ///
    /// - Parameters:
    ///   - money: 1 … 2^53 − 1 minor units of the wallet's currency, no more than is available.
    ///   - wallet: the wallet's id.
    public func withdraw(
        _ money: Money, from wallet: String, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Transaction> {
        try await write(
            "/v1/wallets/\(segment(wallet))/withdrawals", RequestBody(money, options), options)
    }

    /// Moves money from one wallet to another of the same currency.
    ///
    /// - Parameters:
    ///   - money: 1 … 2^53 − 1 minor units, no more than is available.
    ///   - from: the id of the wallet that pays.
    ///   - to: the id of the wallet that is paid.
    public func transfer(
        _ money: Money, from: String, to: String, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Transaction> {
        var body = RequestBody(money, options)
        body.from = from
        body.to = to
        return try await write("/v1/transfers", body, options)
    }

    /// Sets money aside in a wallet.
    ///
    /// - Parameters:
    ///   - money: 1 … 2^53 − 1 minor units, no more than is available.
    ///   - wallet: the wallet's id.
    ///   - expiresAt: from when on the money is available again by itself; `nil` for never.
    public func placeHold(
        _ money: Money, in wallet: String, expiresAt: Timestamp? = nil, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Hold> {
        var body = RequestBody(money, options)
        body.expiresAt = expiresAt
        return try await write("/v1/wallets/\(segment(wallet))/holds", body, options)
    }

    /// Takes held money, once; what is not taken is available again.
    ///
    /// - Parameters:
    ///   - hold: the hold's id.
    ///   - minorUnits: how much of it; `nil` for all.
    ///   - wallet: who gets it; `nil` for the outside.
    ///   - options: of these, `ifVersion` and `idempotencyKey` count.
    public func capture(
        _ hold: String, minorUnits: Int64? = nil, to wallet: String? = nil,
        options: Options = Options()
    ) async throws(WalletError) -> Receipt<Transaction> {
        try await write(
            "/v1/holds/\(segment(hold))/capture", RequestBody(amount: minorUnits, to: wallet),
            options)
    }

    /// Makes all of a hold's money available again.
    ///
    /// - Parameters:
    ///   - hold: the hold's id.
    ///   - options: of these, `ifVersion` and `idempotencyKey` count.
    public func release(
        _ hold: String, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Hold> {
        try await write("/v1/holds/\(segment(hold))/release", RequestBody(), options)
    }

    /// Undoes a deposit, withdrawal, transfer or capture, in parts or whole.
    ///
    /// - Parameters:
    ///   - transaction: the transaction's id.
    ///   - minorUnits: how much of it; `nil` for all that is left.
    ///   - options: of these, `description`, `ifVersion` and `idempotencyKey` count.
    public func reverse(
        _ transaction: String, minorUnits: Int64? = nil, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Transaction> {
        try await write(
            "/v1/transactions/\(segment(transaction))/reversals",
            RequestBody(amount: minorUnits, description: options.description), options)
    }

    /// Lets no money out of a wallet any more; it still takes money in.
    public func freeze(
        _ wallet: String, reason: String? = nil, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Wallet> {
        try await write(
            "/v1/wallets/\(segment(wallet))/freeze", RequestBody(reason: reason), options)
    }

    /// Ends what ``freeze(_:reason:options:)`` began.
    public func unfreeze(
        _ wallet: String, reason: String? = nil, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Wallet> {
        try await write(
            "/v1/wallets/\(segment(wallet))/unfreeze", RequestBody(reason: reason), options)
    }

    /// Closes an empty wallet for good.
    public func close(
        _ wallet: String, reason: String? = nil, options: Options = Options()
    ) async throws(WalletError) -> Receipt<Wallet> {
        try await write(
            "/v1/wallets/\(segment(wallet))/close", RequestBody(reason: reason), options)
    }

    func write<Value: Decodable & Sendable>(
        _ path: String, _ body: RequestBody, _ options: Options
    ) async throws(WalletError) -> Receipt<Value> {
        var call = Call(.post, path: path)
        let key = options.idempotencyKey ?? IdempotencyKey()
        call.key = key
        call.ifVersion = options.ifVersion
        call.body = try JSON.encode(body)
        let (answer, value) = try await transport.send(call, reading: Value.self)
        return Receipt(
            value: value, idempotencyKey: key, isReplay: answer.isReplay, attempts: answer.attempts)
    }
}

/// The members of all requests; those that are `nil` are not sent.
struct RequestBody: Encodable, Hashable, Sendable {
    var type: String?
    var walletId: String?
    var holdId: String?
    var transactionId: String?
    var userId: String?
    var amount: Int64?
    var currency: String?
    var from: String?
    var to: String?
    var expiresAt: Timestamp?
    var reference: String?
    var description: String?
    var reason: String?
    var metadata: [String: String]?
    var idempotencyKey: String?
}

extension RequestBody {
    init(_ money: Money, _ options: WalletClient.Options) {
        self.init(
            amount: money.minorUnits, currency: money.currency, reference: options.reference,
            description: options.description, metadata: options.metadata.ifNotEmpty)
    }
}

extension Dictionary {
    fileprivate var ifNotEmpty: Self? { isEmpty ? nil : self }
}
