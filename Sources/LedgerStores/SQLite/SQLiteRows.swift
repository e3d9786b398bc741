import LedgerEngine
import WalletCore

/// Columns as the domain's values; what cannot be one is a fault of the file.
extension SQLiteStatement {
    func identifier<Kind>(_ column: Int32) throws -> Identifier<Kind> {
        guard let value = Identifier<Kind>(bytes: blob(column)) else { throw unreadable }
        return value
    }

    func digest(_ column: Int32) throws -> Digest {
        guard let value = Digest(bytes: blob(column)) else { throw unreadable }
        return value
    }

    func currency(_ column: Int32) throws -> Currency {
        guard let value = Currency(try text(column)) else { throw unreadable }
        return value
    }

    func instant(_ column: Int32) -> Instant { Instant(microseconds: integer(column)) }

    func text(_ column: Int32) throws -> String {
        guard let text = String(validating: blob(column), as: UTF8.self) else { throw unreadable }
        return text
    }

    func value<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw unreadable }
        return value
    }

    private var unreadable: StoreError { .corrupted(reason: "a row cannot be read") }
}

extension Digest {
    /// The part of an idempotency key's hash that its row keeps: 16 bytes.
    var storedPrefix: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        bytes.appendBigEndian(word0)
        bytes.appendBigEndian(word1)
        return bytes
    }
}

extension Wallet {
    init(_ row: SQLiteStatement) throws {
        self.init(
            id: try row.identifier(0), userID: try row.text(1), currency: try row.currency(2),
            status: try row.value(WalletStatus(rawValue: row.integer(3))), total: row.integer(4),
            held: row.integer(5), version: row.integer(6), createdAt: row.instant(7),
            updatedAt: row.instant(8), openedPosition: row.integer(9))
    }
}

extension Hold {
    init(_ row: SQLiteStatement) throws {
        self.init(
            id: try row.identifier(0), wallet: try row.identifier(1),
            amount: try row.value(Amount(row.integer(2))), currency: try row.currency(3),
            status: try row.value(HoldStatus(rawValue: row.integer(4))),
            capturedAmount: row.integer(5),
            expiresAt: row.optionalInteger(6).map { Instant(microseconds: $0) },
            createdAt: row.instant(7), placedPosition: row.integer(8),
            closedAt: row.optionalInteger(9).map { Instant(microseconds: $0) })
    }
}

extension Entry {
    init(_ row: SQLiteStatement, of wallet: WalletID) throws {
        self.init(
            wallet: wallet, recordedAt: row.instant(0), position: row.integer(1),
            version: row.integer(2), type: try row.value(EventType(rawValue: row.integer(3))),
            change: row.integer(4), total: row.integer(5), held: row.integer(6))
    }
}

extension APIKey {
    init(_ row: SQLiteStatement) throws {
        self.init(
            id: try row.text(0), hash: try row.digest(1), principal: try row.text(2),
            scopes: Scopes(rawValue: row.integer(3)), createdAt: row.instant(4),
            revokedAt: row.optionalInteger(5).map { Instant(microseconds: $0) })
    }
}
