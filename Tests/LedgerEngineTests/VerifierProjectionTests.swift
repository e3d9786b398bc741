import LedgerEngine
import Testing
import WalletCore
import WalletTesting

/// One row that is not what the log says.
struct Damage: Sendable, CustomTestStringConvertible {
    typealias Change = @Sendable (inout AlteredLedgerStore.Alteration) -> Void

    var testDescription: String
    /// The position that the verifier must name, where it can.
    var position: Int64?
    var change: Change

    init(_ description: String, at position: Int64? = nil, _ change: @escaping Change) {
        testDescription = description
        self.position = position
        self.change = change
    }
}

/// Changes the values that match.
private func altering<Value: Sendable>(
    _ change: @escaping @Sendable (inout Value) -> Void,
    where matches: @escaping @Sendable (Value) -> Bool = { _ in true }
) -> @Sendable ([Value]) -> [Value] {
    { values in
        values.map { value in
            guard matches(value) else { return value }
            var value = value
            change(&value)
            return value
        }
    }
}

private func altering<Value: Sendable>(
    _ change: @escaping @Sendable (inout Value) -> Void
) -> @Sendable (Value) -> Value {
    { value in
        var value = value
        change(&value)
        return value
    }
}

@Suite struct VerifierProjectionTests {
    static let wallets: [Damage] = [
        Damage("total") {
            $0.wallets = altering({ $0.total += 1 }, where: { $0.userID == "bob" })
        },
        Damage("held") {
            $0.wallets = altering({ $0.held += 1 }, where: { $0.userID == "bob" })
        },
        Damage("status") {
            $0.wallets = altering({ $0.status = .frozen }, where: { $0.userID == "bob" })
        },
        Damage("version") {
            $0.wallets = altering({ $0.version += 1 }, where: { $0.userID == "bob" })
        },
        Damage("user") {
            $0.wallets = altering({ $0.userID = "eve" }, where: { $0.userID == "bob" })
        },
        Damage("currency") {
            $0.wallets = altering(
                { $0.currency = Fixture.currency("USD") }, where: { $0.userID == "bob" })
        },
        Damage("time") {
            $0.wallets = altering(
                { $0.updatedAt = $0.createdAt }, where: { $0.userID == "bob" })
        },
        Damage("opened elsewhere") { $0.wallets = altering({ $0.openedPosition += 1 }) },
        Damage("two exchanged") { alteration in
            alteration.wallets = { wallets in
                guard wallets.count > 1 else { return wallets }
                var exchanged = wallets
                exchanged[0].total = wallets[1].total
                exchanged[1].total = wallets[0].total
                return exchanged
            }
        },
    ]

    static let rows: [Damage] = [
        Damage("entry's total", at: 5) {
            $0.entry = altering({ if $0?.position == 5 { $0?.total += 1 } })
        },
        Damage("entry's change", at: 9) {
            $0.entry = altering({ if $0?.position == 9 { $0?.change += 1 } })
        },
        Damage("entry's held", at: 11) {
            $0.entry = altering({ if $0?.position == 11 { $0?.held += 1 } })
        },
        Damage("entry's version", at: 1) {
            $0.entry = altering({ if $0?.position == 1 { $0?.version += 1 } })
        },
        Damage("entry's type", at: 12) {
            $0.entry = altering({ if $0?.position == 12 { $0?.type = .reversed } })
        },
        Damage("entry missing", at: 18) { $0.entry = { $0?.position == 18 ? nil : $0 } },
        Damage("hold's status") {
            $0.holds = altering({ $0.status = .released }, where: { $0.status == .captured })
        },
        Damage("hold's amount") { $0.holds = altering({ $0.amount = Fixture.amount(9_999) }) },
        Damage("hold's captured amount") {
            $0.holds = altering({ $0.capturedAmount += 1 }, where: { $0.status == .captured })
        },
        Damage("hold's expiry") { $0.holds = altering({ $0.expiresAt = nil }) },
        Damage("hold missing") { $0.holds = { Array($0.dropLast()) } },
        Damage("key's position", at: 5) {
            $0.keys = altering({ $0.position = 6 }, where: { $0.position == 5 })
        },
        Damage("key missing", at: 14) { $0.keys = { $0.filter { $0.position != 14 } } },
        Damage("reference's position", at: 3) {
            $0.references = altering({ $0.use.position += 1 })
        },
        Damage("reference's transaction", at: 3) {
            $0.references = altering({ $0.use.id = TransactionID(high: 1, low: 1) })
        },
        Damage("reference of another name", at: 3) { $0.references = { _ in [] } },
        Damage("reversed amount") { $0.reversals = altering({ $0.reversedAmount -= 1 }) },
        Damage("reversal of another position") { $0.reversals = { _ in [] } },
        Damage("text", at: 1) {
            $0.texts = altering({ $0.text.text.description = "b text" })
        },
        Damage("text's salt", at: 1) { $0.texts = altering({ $0.text.salt[3] ^= 1 }) },
    ]

    static let sums: [Damage] = [
        Damage("external sum") { $0.external = { $0.mapValues { $0 + 1 } } },
        Damage("external account missing") { $0.external = { _ in [:] } },
        Damage("external account too many") {
            $0.external = altering({ $0[Fixture.currency("USD")] = 0 })
        },
        Damage("external account of another currency") {
            $0.external = { [Fixture.currency("USD"): $0[Fixture.currency("EUR")] ?? 0] }
        },
        Damage("a wallet too many") { $0.tally = altering({ $0.wallets += 1 }) },
        Damage("an entry too many") { $0.tally = altering({ $0.entries += 1 }) },
        Damage("a hold too many") { $0.tally = altering({ $0.holds += 1 }) },
        Damage("a key too many") { $0.tally = altering({ $0.keys += 1 }) },
        Damage("a reference too many") { $0.tally = altering({ $0.references += 1 }) },
        Damage("a reversal too many") { $0.tally = altering({ $0.reversals += 1 }) },
        Damage("a segment too many") { $0.tally = altering({ $0.segments += 1 }) },
    ]

    static let head: [Damage] = [
        Damage("hash") { $0.head = altering({ $0.hash = .zero }) },
        Damage("position within the last segment") { $0.head = altering({ $0.position -= 1 }) },
        Damage("position of an earlier segment") { $0.head = altering({ $0.position -= 3 }) },
        Damage("position after the end", at: 19) { $0.head = altering({ $0.position += 1 }) },
        Damage("time") {
            $0.head = altering({ $0.recordedAt = $0.recordedAt.advanced(byMicroseconds: 1) })
        },
        Damage("ledger", at: 1) { $0.head = altering({ $0.ledger = LedgerID(high: 1, low: 1) }) },
        Damage("epoch") { $0.head = altering({ $0.epoch += 1 }) },
        Damage("epoch's number", at: 1) { $0.epochs = altering({ $0.epoch += 1 }) },
        Damage("epoch's first position", at: 1) { $0.epochs = altering({ $0.firstPosition = 2 }) },
        Damage("no epoch", at: 1) { $0.epochs = { _ in [] } },
        Damage("an epoch too many") { alteration in
            alteration.epochs = { $0 + [Epoch(epoch: .max, firstPosition: 19)] }
        },
    ]

    @Test(arguments: wallets + rows + sums + head)
    func rowThatIsNotWhatTheLogSaysIsFound(_ damage: Damage) async throws {
        let ledger = try await SoundLedger()
        let store = AlteredLedgerStore(ledger.store, damage.change)
        let fault = await #expect(throws: Verifier.Fault.self) {
            try await Verifier(store: store).verify()
        }
        #expect(fault?.position == damage.position)
    }

    @Test func walletThatIsMissingIsCounted() async throws {
        let ledger = try await SoundLedger()
        let missing = ledger.scribe.wallets[2]
        let store = AlteredLedgerStore(ledger.store) { alteration in
            alteration.wallets = { $0.filter { $0.id != missing } }
            alteration.tally = altering({ $0.wallets -= 1 })
        }
        await #expect(throws: Verifier.Fault.self) { try await Verifier(store: store).verify() }
    }
}
