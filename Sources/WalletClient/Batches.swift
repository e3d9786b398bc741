extension WalletClient {
    /// Many operations in one request, up to 1,000: the quick way for bulk work.
    ///
    /// Each operation has a key of its own and is settled by it: sent again, alone or in another
    /// batch, it does not happen twice.
    ///
    /// - Parameters:
    ///   - operations: 1 … 1,000, in order.
    ///   - atomic: whether they happen all or not at all. If one of an atomic batch fails, the call
    ///     throws ``WalletError/Code/batchRefused``; its members tell why.
    ///   - idempotencyKey: the key of the batch; `nil` for a fresh one.
    /// - Returns: what became of each operation, in order.
    public func batch(
        _ operations: [Operation], atomic: Bool, idempotencyKey: IdempotencyKey? = nil
    ) async throws(WalletError) -> Receipt<[OperationResult]> {
        guard operations.allSatisfy({ $0.ifVersion == nil }) else {
            throw .invalid("In batches `ifVersion` cannot be asked for.")
        }
        let key = idempotencyKey ?? IdempotencyKey()
        var call = Call(.post, path: "/v1/batches")
        call.key = key
        call.body = try JSON.encode(BatchBody(atomic: atomic, operations: operations.map(\.body)))
        let (answer, batch) = try await transport.send(call, reading: BatchAnswer.self)
        guard batch.results.count == operations.count else {
            var error = WalletError.unreadable("The answer has another number of results.")
            error.idempotencyKey = key
            throw error
        }
        return Receipt(
            value: batch.results.map { $0?.outcome ?? .unknown }, idempotencyKey: key,
            isReplay: answer.isReplay,
            attempts: answer.attempts)
    }

    /// One operation of a batch, with a key of its own.
    public struct Operation: Hashable, Sendable {
        var body: RequestBody
        /// Kept to be refused: the service has no such condition in batches.
        let ifVersion: Int64?

        /// The operation's key.
        public let idempotencyKey: IdempotencyKey

        private init(_ type: String, _ body: RequestBody, _ options: Options) {
            self.body = body
            ifVersion = options.ifVersion
            idempotencyKey = options.idempotencyKey ?? IdempotencyKey()
            self.body.type = type
            self.body.idempotencyKey = idempotencyKey.rawValue
        }

        /// See ``WalletClient/deposit(_:into:options:)``. A batch with an `ifVersion` is not sent.
        public static func deposit(
            _ money: Money, into wallet: String, options: Options = Options()
        ) -> Operation {
            var body = RequestBody(money, options)
            body.walletId = wallet
            return Operation("deposit", body, options)
        }

        /// See ``WalletClient/withdraw(_:from:options:)``.
        public static func withdrawal(
            _ money: Money, from wallet: String, options: Options = Options()
        ) -> Operation {
            var body = RequestBody(money, options)
            body.walletId = wallet
            return Operation("withdrawal", body, options)
        }

        /// See ``WalletClient/transfer(_:from:to:options:)``.
        public static func transfer(
            _ money: Money, from: String, to: String, options: Options = Options()
        ) -> Operation {
            var body = RequestBody(money, options)
            body.from = from
            body.to = to
            return Operation("transfer", body, options)
        }

        /// See ``WalletClient/placeHold(_:in:expiresAt:options:)``.
        public static func hold(
            _ money: Money, in wallet: String, expiresAt: Timestamp? = nil,
            options: Options = Options()
        ) -> Operation {
            var body = RequestBody(money, options)
            body.walletId = wallet
            body.expiresAt = expiresAt
            return Operation("hold", body, options)
        }

        /// See ``WalletClient/capture(_:minorUnits:to:options:)``.
        public static func capture(
            _ hold: String, minorUnits: Int64? = nil, to wallet: String? = nil,
            options: Options = Options()
        ) -> Operation {
            Operation(
                "capture", RequestBody(holdId: hold, amount: minorUnits, to: wallet), options)
        }

        /// See ``WalletClient/release(_:options:)``.
        public static func release(_ hold: String, options: Options = Options()) -> Operation {
            Operation("release", RequestBody(holdId: hold), options)
        }

        /// See ``WalletClient/reverse(_:minorUnits:options:)``.
        public static func reversal(
            _ transaction: String, minorUnits: Int64? = nil, options: Options = Options()
        ) -> Operation {
            Operation(
                "reversal",
                RequestBody(
                    transactionId: transaction, amount: minorUnits,
                    description: options.description),
                options)
        }
    }

    /// What became of one operation of a batch.
    public enum OperationResult: Hashable, Sendable {
        /// Money moved.
        case transaction(Transaction)
        /// A hold was placed or released.
        case hold(Hold)
        /// It was refused, and changed nothing.
        case refused(WalletError)
        /// The answer does not say. ``WalletClient/outcome(of:)`` with the operation's key does.
        case unknown
    }
}

private struct BatchBody: Encodable {
    var atomic: Bool
    var operations: [RequestBody]
}

private struct BatchAnswer: Decodable, Sendable {
    struct Result: Decodable, Sendable {
        var outcome: WalletClient.OperationResult

        enum Members: CodingKey {
            case status, transaction, hold, problem
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Members.self)
            if let transaction = try members.decodeIfPresent(
                WalletClient.Transaction.self, forKey: .transaction)
            {
                outcome = .transaction(transaction)
            } else if let hold = try members.decodeIfPresent(WalletClient.Hold.self, forKey: .hold)
            {
                outcome = .hold(hold)
            } else if let problem = try members.decodeIfPresent(JSONValue.self, forKey: .problem) {
                outcome = .refused(
                    WalletError(
                        status: try members.decode(Int.self, forKey: .status), problem: problem))
            } else {
                outcome = .unknown
            }
        }
    }

    var results: [Result?]
}
