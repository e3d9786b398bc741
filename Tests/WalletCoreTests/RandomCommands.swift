import WalletCore
import WalletTesting

/// Makes commands that are likely to be possible, likely to be just impossible, or odd.
struct RandomCommands {
    private var generator: SeededGenerator
    private let currencies = ["USD", "JPY"].map(Fixture.currency)
    private let actors = [Fixture.shop, .apiKey(id: "key_2", principal: "depot")]

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func actor() -> Actor { pick(actors) ?? Fixture.shop }

    /// How far the clock moves between two commands, in microseconds; now and then backwards.
    mutating func pause() -> Int64 { .random(in: -5...40, using: &generator) }

    /// Mostly none, sometimes the right version of some wallet, sometimes a wrong one.
    mutating func ifMatch(_ model: ReferenceModel, _ command: Command) -> Int64? {
        guard chance(5) else { return nil }
        let versions = model.involved(command).sorted().compactMap { model.purses[$0]?.version }
        return chance(3) ? .random(in: 0...9, using: &generator) : pick(versions)
    }

    mutating func command(_ model: ReferenceModel, at now: Instant) -> Command {
        let wallet = wallet(model)
        switch Int.random(in: 0..<32, using: &generator) {
        case 0...1 where open(model).count < 7, _ where open(model).count < 3:
            return .openWallet(userID: "u", currency: pick(currencies) ?? currencies[0])
        case 0...7:
            return .deposit(
                wallet: wallet, amount: amount(room(model, wallet)),
                currency: currency(model, wallet),
                reference: reference())
        case 8...11:
            return .withdraw(
                wallet: wallet, amount: amount(available(model, wallet)),
                currency: currency(model, wallet), reference: reference())
        case 12...16:
            return .transfer(
                from: wallet, to: self.wallet(model), amount: amount(available(model, wallet)),
                currency: currency(model, wallet), reference: reference())
        case 17...20:
            let expiry = now.advanced(byMicroseconds: .random(in: -10...300, using: &generator))
            return .placeHold(
                wallet: wallet, amount: amount(available(model, wallet)),
                currency: currency(model, wallet), expiresAt: chance(2) ? expiry : nil,
                reference: reference())
        case 21...23:
            let hold = hold(model)
            let part = amount(model.reservations[hold]?.amount ?? 1)
            return .captureHold(
                hold: hold, amount: chance(2) ? part : nil, to: chance(2) ? self.wallet(model) : nil
            )
        case 24:
            return .releaseHold(hold: hold(model))
        case 25...28:
            let id = transaction(model)
            let left = model.moves[id].map { $0.amount - $0.reversed } ?? 1
            return .reverse(transaction: id, amount: chance(2) ? amount(left) : nil)
        case 29:
            return .freezeWallet(wallet)
        case 30:
            let empty = open(model).filter { model.purses[$0]?.total == 0 }
            return .closeWallet(chance(4) ? wallet : pick(empty) ?? wallet)
        default:
            return .unfreezeWallet(wallet)
        }
    }

    private mutating func chance(_ oneIn: Int) -> Bool {
        Int.random(in: 0..<oneIn, using: &generator) == 0
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.randomElement(using: &generator)
    }

    private mutating func wallet(_ model: ReferenceModel) -> WalletID {
        if chance(40) { return RefusalTable.missing }
        let all = chance(6) ? model.purses.keys.sorted() : open(model)
        return pick(all) ?? RefusalTable.missing
    }

    private func open(_ model: ReferenceModel) -> [WalletID] {
        model.purses.filter { !$0.value.isClosed }.keys.sorted()
    }

    /// One of the last few holds, so that open ones are met.
    private mutating func hold(_ model: ReferenceModel) -> HoldID {
        if chance(20) { return RefusalTable.missingHold }
        return pick(Array(model.reservations.keys.sorted().suffix(6))) ?? RefusalTable.missingHold
    }

    private mutating func transaction(_ model: ReferenceModel) -> TransactionID {
        if chance(20) { return RefusalTable.missingTransaction }
        return pick(Array(model.moves.keys.sorted().suffix(12))) ?? RefusalTable.missingTransaction
    }

    /// Around a limit: below it, exactly it, one more, or anything at all.
    private mutating func amount(_ limit: Int64) -> Amount {
        let value: Int64 =
            switch Int.random(in: 0..<12, using: &generator) {
            case 0: limit
            case 1: limit + 1
            case 2: .random(in: 1...Amount.maximum, using: &generator)
            case 3: max(1, limit / 2)
            default: .random(in: 1...max(1, min(limit, 1_000)), using: &generator)
            }
        return Fixture.amount(min(max(value, 1), Amount.maximum))
    }

    private func available(_ model: ReferenceModel, _ wallet: WalletID) -> Int64 {
        model.purses[wallet]?.available ?? 1
    }

    private func room(_ model: ReferenceModel, _ wallet: WalletID) -> Int64 {
        Amount.maximum - (model.purses[wallet]?.total ?? 0)
    }

    private mutating func currency(_ model: ReferenceModel, _ wallet: WalletID) -> Currency? {
        if chance(2) { return nil }
        return chance(8) ? pick(currencies) : model.purses[wallet]?.currency
    }

    private mutating func reference() -> String? {
        chance(4) ? "order-\(Int.random(in: 0..<60, using: &generator))" : nil
    }
}
