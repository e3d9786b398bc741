extension WalletClient {
    /// One wallet.
    public func wallet(_ id: String) async throws(WalletError) -> Wallet {
        try await read("/v1/wallets/\(segment(id))")
    }

    /// What a wallet holds now, or held at an instant.
    ///
    /// - Parameters:
    ///   - wallet: the wallet's id.
    ///   - instant: as of when, inclusive; `nil` for now.
    public func balance(
        of wallet: String, at instant: Timestamp? = nil
    ) async throws(WalletError) -> Balance {
        try await read("/v1/wallets/\(segment(wallet))/balance", ["at": instant?.description])
    }

    /// A user's wallets, in order of creation.
    public func wallets(ofUser userID: String, pageSize: Int = 50) -> Pages<Wallet> {
        pages("/v1/users/\(segment(userID))/wallets", [:], pageSize)
    }

    /// One transaction.
    public func transaction(_ id: String) async throws(WalletError) -> Transaction {
        try await read("/v1/transactions/\(segment(id))")
    }

    /// One hold.
    public func hold(_ id: String) async throws(WalletError) -> Hold {
        try await read("/v1/holds/\(segment(id))")
    }

    /// A wallet's holds.
    ///
    /// - Parameter status: only those; `nil` for all.
    public func holds(
        of wallet: String, status: Hold.Status? = nil, pageSize: Int = 50
    ) -> Pages<Hold> {
        pages("/v1/wallets/\(segment(wallet))/holds", ["status": status?.rawValue], pageSize)
    }

    /// Which entries of a history are wanted; all of them unless it says otherwise.
    public struct HistoryFilter: Hashable, Sendable {
        /// Only transactions of this kind.
        public var type: Transaction.Kind?
        /// Only those with this reference.
        public var reference: String?
        /// Only those recorded at or after this instant.
        public var from: Timestamp?
        /// Only those recorded before this instant.
        public var to: Timestamp?
        /// Oldest first; otherwise newest first.
        public var isOldestFirst: Bool

        /// A filter; without arguments, none.
        public init(
            type: Transaction.Kind? = nil, reference: String? = nil, from: Timestamp? = nil,
            to: Timestamp? = nil, isOldestFirst: Bool = false
        ) {
            self.type = type
            self.reference = reference
            self.from = from
            self.to = to
            self.isOldestFirst = isOldestFirst
        }
    }

    /// The transactions that moved a wallet's money, newest first unless the filter says otherwise.
    public func history(
        of wallet: String, filter: HistoryFilter = HistoryFilter(), pageSize: Int = 50
    ) -> Pages<Entry> {
        pages(
            "/v1/wallets/\(segment(wallet))/transactions",
            [
                "type": filter.type?.rawValue, "reference": filter.reference,
                "from": filter.from?.description, "to": filter.to?.description,
                "order": filter.isOldestFirst ? "asc" : nil,
            ], pageSize)
    }

    /// A wallet's statement of a period, whole.
    ///
    /// For a period with very many entries use ``statementCSV(of:from:to:)`` or
    /// ``history(of:filter:pageSize:)``, which keep only a part in memory.
    ///
    /// - Parameters:
    ///   - wallet: the wallet's id.
    ///   - from: the period's first instant; `nil` for the wallet's beginning.
    ///   - to: the first instant after the period; `nil` for now.
    public func statement(
        of wallet: String, from: Timestamp? = nil, to: Timestamp? = nil
    ) async throws(WalletError) -> Statement {
        var call = Call(
            .get, path: "/v1/wallets/\(segment(wallet))/statement",
            query: ["from": from?.description, "to": to?.description])
        call.isLong = true
        return try await transport.send(call, reading: Statement.self).value
    }

    /// A wallet's statement of a period as CSV, piece by piece as it arrives.
    ///
    /// One that is cut short ends with an error, never as if it were whole.
    public func statementCSV(
        of wallet: String, from: Timestamp? = nil, to: Timestamp? = nil
    ) async throws(WalletError) -> ByteStream {
        var call = Call(
            .get, path: "/v1/wallets/\(segment(wallet))/statement",
            query: ["from": from?.description, "to": to?.description])
        call.accept = "text/csv"
        return ByteStream(try await transport.open(call))
    }

    /// What became of a write.
    public enum Outcome: Hashable, Sendable {
        /// It happened; this is what it made, with the answer's members.
        case done(JSONValue)
        /// It was refused for good: sent again with its key, it is refused again.
        case refused(WalletError)
        /// The service does not know the key: the write has not happened. It may still do so while
        /// a request with it is under way.
        case unknown
    }

    /// What became of the write that was sent under a key with this credential's principal.
    public func outcome(of key: IdempotencyKey) async throws(WalletError) -> Outcome {
        let call = Call(.get, path: "/v1/idempotency-keys/\(segment(key.rawValue))")
        do {
            return .done(try await transport.send(call, reading: JSONValue.self).value)
        } catch let error where error.kind == .refused && error.isReplay {
            return .refused(error)
        } catch let error where error.code == .notFound {
            return .unknown
        }
    }

    /// Events of the ledger's log, in order, up to where it is now (scope `admin`).
    ///
    /// - Parameter position: the place after which they begin; 0 for the log's beginning.
    public func log(after position: Int64 = 0, pageSize: Int = 200) -> Pages<LogEvent> {
        pages("/v1/events", ["after": String(position)], pageSize)
    }

    func read<Value: Decodable & Sendable>(
        _ path: String, _ query: KeyValuePairs<String, String?> = [:]
    ) async throws(WalletError) -> Value {
        try await transport.send(Call(.get, path: path, query: query), reading: Value.self).value
    }

    private func pages<Element: Codable & Sendable>(
        _ path: String, _ filters: KeyValuePairs<String, String?>, _ size: Int
    ) -> Pages<Element> {
        Pages(
            transport: transport, path: path, filters: Call.encode(filters),
            size: min(max(size, 1), 200))
    }
}
