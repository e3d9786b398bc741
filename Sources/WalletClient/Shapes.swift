/// A name from a set that may grow: values that this version does not know are kept as they are.
public protocol OpenName: RawRepresentable<String>, Codable, Hashable, Sendable,
    CustomStringConvertible
{}

extension OpenName {
    /// The name as the service writes it.
    public var description: String { rawValue }
}

extension WalletClient {
    /// What a wallet holds, in minor units.
    public struct Amounts: Codable, Hashable, Sendable {
        /// All that is in the wallet, 0 … 2^53 − 1.
        public var total: Int64
        /// How much of it is held.
        public var held: Int64
        /// What can be taken out: `total - held`.
        public var available: Int64

        package init(total: Int64, held: Int64, available: Int64) {
            self.total = total
            self.held = held
            self.available = available
        }
    }

    /// One user's money in one currency.
    public struct Wallet: Codable, Hashable, Sendable, Identifiable {
        /// Whether money may move.
        public struct Status: OpenName {
            /// The name as the service writes it.
            public var rawValue: String
            /// A status by its name.
            public init(rawValue: String) { self.rawValue = rawValue }
            /// Money goes in and out.
            public static let active = Self(rawValue: "active")
            /// Money goes in, and none out but for reversals and holds placed before.
            public static let frozen = Self(rawValue: "frozen")
            /// Nothing moves any more.
            public static let closed = Self(rawValue: "closed")
        }

        /// A UUIDv7.
        public var id: String
        /// Whose it is.
        public var userId: String
        /// ISO 4217; it never changes.
        public var currency: String
        /// Whether money may move.
        public var status: Status
        /// What is in it, in minor units.
        public var balance: Amounts
        /// Raised by 1 by every event that touches the wallet.
        public var version: Int64
        /// When it was opened.
        public var createdAt: Timestamp
        /// When it was last touched.
        public var updatedAt: Timestamp
        /// What was said when it was opened.
        public var metadata: [String: String]?
    }

    /// What a wallet holds or held, in minor units.
    public struct Balance: Codable, Hashable, Sendable {
        /// Whose balance it is.
        public var walletId: String
        /// ISO 4217.
        public var currency: String
        /// All that is in the wallet.
        public var total: Int64
        /// How much of it is held.
        public var held: Int64
        /// What can be taken out.
        public var available: Int64
        /// The wallet's version.
        public var version: Int64
        /// As of when.
        public var at: Timestamp
        /// Whether no event can be recorded any more at that instant or before it.
        public var final: Bool?
        /// For a past instant: whether the wallet existed then.
        public var existed: Bool?
    }

    /// What a transaction left in a wallet, in minor units.
    public struct BalanceAfter: Codable, Hashable, Sendable {
        /// Whose balance it is.
        public var walletId: String
        /// All that is in the wallet.
        public var total: Int64
        /// How much of it is held.
        public var held: Int64
        /// What can be taken out.
        public var available: Int64
        /// The wallet's version after the transaction.
        public var version: Int64
    }

    /// Money that moved.
    public struct Transaction: Codable, Hashable, Sendable, Identifiable {
        /// What moved it.
        public struct Kind: OpenName {
            /// The name as the service writes it.
            public var rawValue: String
            /// A kind by its name.
            public init(rawValue: String) { self.rawValue = rawValue }
            /// From outside into a wallet.
            public static let deposit = Self(rawValue: "deposit")
            /// Out of a wallet.
            public static let withdrawal = Self(rawValue: "withdrawal")
            /// From a wallet to a wallet.
            public static let transfer = Self(rawValue: "transfer")
            /// Held money, to a wallet or out.
            public static let capture = Self(rawValue: "capture")
            /// A transaction undone, in part or whole.
            public static let reversal = Self(rawValue: "reversal")
        }

        /// A UUIDv7.
        public var id: String
        /// What moved the money.
        public var type: Kind
        /// Minor units, 1 … 2^53 − 1.
        public var amount: Int64
        /// ISO 4217.
        public var currency: String
        /// The wallet that paid; `nil` where the money came from outside.
        public var from: String?
        /// The wallet that was paid; `nil` where the money went out.
        public var to: String?
        /// The caller's own identifier; not shown to a counterparty.
        public var reference: String?
        /// The caller's own words.
        public var description: String?
        /// When it was recorded.
        public var createdAt: Timestamp
        /// Its place in the ledger's log.
        public var position: Int64
        /// What it left in the wallets that the caller may read.
        public var balances: [BalanceAfter]
        /// The transaction that this one reverses.
        public var reverses: String?
        /// How much of this one has been reversed so far, in minor units.
        public var reversedAmount: Int64
        /// The hold that this one captured.
        public var holdId: String?
        /// Who asked for it.
        public var actor: String?
        /// The caller's own pairs.
        public var metadata: [String: String]?
    }

    /// Money set aside in a wallet until it is captured or released, or expires.
    public struct Hold: Codable, Hashable, Sendable, Identifiable {
        /// What became of the hold.
        public struct Status: OpenName {
            /// The name as the service writes it.
            public var rawValue: String
            /// A status by its name.
            public init(rawValue: String) { self.rawValue = rawValue }
            /// The money is set aside.
            public static let open = Self(rawValue: "open")
            /// The money, or some of it, was taken.
            public static let captured = Self(rawValue: "captured")
            /// The money is available again.
            public static let released = Self(rawValue: "released")
            /// Its time is over, and the money available again.
            public static let expired = Self(rawValue: "expired")
        }

        /// A UUIDv7.
        public var id: String
        /// Where the money is.
        public var walletId: String
        /// Minor units, 1 … 2^53 − 1.
        public var amount: Int64
        /// ISO 4217.
        public var currency: String
        /// What became of it.
        public var status: Status
        /// How much of it was captured, in minor units.
        public var capturedAmount: Int64?
        /// From this instant on it is expired; `nil` for a hold that does not expire.
        public var expiresAt: Timestamp?
        /// When it was placed.
        public var createdAt: Timestamp
        /// The caller's own identifier.
        public var reference: String?
        /// The caller's own words.
        public var description: String?
        /// The caller's own pairs.
        public var metadata: [String: String]?
    }

    /// One line of a wallet's history: a transaction as this wallet saw it.
    public struct Entry: Codable, Hashable, Sendable {
        /// What happened.
        public var transaction: Transaction
        /// What it did to this wallet's total, signed minor units.
        public var change: Int64
        /// The wallet's total after it.
        public var balanceAfter: Int64
        /// The wallet's version after it.
        public var version: Int64
    }

    /// A wallet's entries in a period, between the balances at its ends.
    public struct Statement: Codable, Hashable, Sendable {
        /// Whose statement it is.
        public var walletId: String
        /// ISO 4217.
        public var currency: String
        /// The period's first instant.
        public var from: Timestamp
        /// The first instant after the period.
        public var to: Timestamp
        /// Just before the period.
        public var opening: Balance
        /// The entries of the period, oldest first. Their changes lead from `opening` to `closing`.
        public var entries: [Entry]
        /// At the end of the period.
        public var closing: Balance
        /// Whether no entry can be recorded in the period any more.
        public var final: Bool
    }

    /// An event of the ledger's log.
    public struct LogEvent: Codable, Hashable, Sendable {
        /// Its place, 1, 2, 3 … without gaps.
        public var position: Int64
        /// The log's hash chain up to and with it, hexadecimal.
        public var hash: String
        /// Everything that the log says about it.
        public var event: JSONValue

        /// What happened, `deposited`.
        public var type: String? { event["type"]?.string }

        /// When it was recorded.
        public var recordedAt: Timestamp? {
            event["recordedAt"]?.integer.map(Timestamp.init(microsecondsSinceEpoch:))
        }
    }

    /// What a write made, and how it was made.
    @dynamicMemberLookup
    public struct Receipt<Value: Hashable & Sendable>: Hashable, Sendable {
        /// The state that it made. A repeated write gives the first answer again, even if the
        /// state has moved on since.
        public var value: Value
        /// The key under which it was sent; keep it to send it again or to ask what became of it.
        public var idempotencyKey: IdempotencyKey
        /// Whether it had happened before, and this is the first answer again.
        public var isReplay: Bool
        /// How often this call sent it.
        public var attempts: Int

        /// A member of ``value``.
        public subscript<Member>(dynamicMember path: KeyPath<Value, Member>) -> Member {
            value[keyPath: path]
        }
    }
}
