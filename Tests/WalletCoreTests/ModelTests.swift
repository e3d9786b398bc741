import Testing
import WalletCore
import WalletTesting

/// One after the other: these never wait, and tests beside them that do must get their turn.
@Suite("Any commands in any order", .serialized)
struct ModelTests {
    private static let commandsPerSeed = 500

    /// 200 seeds: 100,000 commands.
    @Test("come to what the contract says", arguments: 0..<200 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var simulation = Simulation(seed: seed)
        for _ in 0..<Self.commandsPerSeed { try simulation.step() }
        simulation.checkReplay()
        simulation.checkFingerprints()
    }

    @Test("meet every type of event and all but the rarest refusals")
    func coverage() throws {
        var types: Set<EventType> = []
        var met: Set<String> = []
        for seed in 100..<106 as Range<UInt64> {
            var simulation = Simulation(seed: seed)
            for _ in 0..<Self.commandsPerSeed { try simulation.step() }
            types.formUnion(simulation.types)
            met.formUnion(simulation.refusals)
        }
        #expect(types == Set(EventType.allCases))
        let possible = CommandKind.allCases.flatMap { kind in
            RefusalTable.codes(kind).map { "\(kind) \($0)" }
        }
        #expect(met.subtracting(possible).isEmpty)
        #expect(Set(possible).subtracting(met).count <= 6)
    }
}

/// The ledger and the model side by side, and the checks after each command.
private struct Simulation {
    let seed: UInt64
    private var random: RandomCommands
    private var ledger = SmallLedger()
    private var model = ReferenceModel()
    /// The state that the events' bytes give.
    private var replayed = LedgerState()
    private var clock = ManualClock.start
    private var count = 0

    private var instructions: Set<Instruction> = []
    private(set) var types: Set<EventType> = []
    /// Kinds of command with the codes that they were refused by.
    private(set) var refusals: Set<String> = []

    init(seed: UInt64) {
        self.seed = seed
        random = RandomCommands(seed: seed)
    }

    private var place: Comment { "seed \(seed), command \(count)" }

    mutating func step() throws {
        count += 1
        clock = clock.advanced(byMicroseconds: random.pause())
        let command = random.command(model, at: clock)
        let ifMatch = random.ifMatch(model, command)
        let actor = random.actor()
        let decision = ledger.decide(command, by: actor, ifMatch: ifMatch, at: clock)
        let ofLoaded = ledger.decide(
            command, by: actor, ifMatch: ifMatch, at: clock, in: loaded(for: command, by: actor))
        #expect(ofLoaded.events == decision.events && ofLoaded.refusal == decision.refusal, place)
        instructions.insert(Instruction(command, ifMatch: ifMatch))
        for expiry in decision.expiries { try check(expiry: expiry, before: command) }
        let time = max(clock, ledger.lastTime.advanced(byMicroseconds: 1))
        checkNothingDue(command, at: time)
        let reasons = model.reasons(against: command, by: actor, ifMatch: ifMatch, at: time)
        switch decision.outcome {
        case .success(let event):
            try #require(reasons.isEmpty, place)
            try record(event)
            model.perform(command, by: actor, made: event.change)
            #expect(event.recordedAt == time, place)
            #expect(event.cause.actor == actor, place)
        case .failure(let refusal):
            try #require(reasons.contains(refusal.code), place)
            refusals.insert("\(command.kind) \(refusal.code)")
        }
        try checkBalances()
    }

    /// What a caller that asks the command for its needs has looked up.
    private func loaded(for command: Command, by actor: Actor) -> LedgerState {
        let needs = command.needs(by: actor)
        let all = ledger.state
        var state = LedgerState()
        state.external = all.external
        var wallets = Set(needs.wallets)
        if let hold = needs.hold.flatMap({ all.holds[$0] }) {
            state.holds[hold.id] = hold
            wallets.insert(hold.wallet)
        }
        if let transaction = needs.transaction.flatMap({ all.transactions[$0] }) {
            state.transactions[transaction.id] = transaction
            wallets.formUnion([transaction.debited, transaction.credited].compactMap(\.wallet))
        }
        if let reference = needs.reference {
            state.references[reference] = all.references[reference]
            let first = all.references[reference].map { HoldID(high: $0.id.high, low: $0.id.low) }
            if let hold = first.flatMap({ all.holds[$0] }) { state.holds[hold.id] = hold }
        }
        for wallet in wallets { state.wallets[wallet] = all.wallets[wallet] }
        for hold in all.holds.values where hold.expiresAt != nil && wallets.contains(hold.wallet) {
            state.holds[hold.id] = hold
        }
        return state
    }

    private mutating func check(expiry: Event, before command: Command) throws {
        guard case .holdExpired(let id, let wallet, _, _, let expiresAt) = expiry.change else {
            Issue.record("an expiry that is none, seed \(seed)")
            return
        }
        let hold = try #require(model.reservations[id], place)
        #expect(hold.isOpen && hold.wallet == wallet && hold.expiresAt == expiresAt, place)
        #expect(expiresAt <= expiry.recordedAt, place)
        #expect(model.involved(command).contains(wallet), place)
        try record(expiry)
        model.expire(id)
    }

    private func checkNothingDue(_ command: Command, at time: Instant) {
        let involved = model.involved(command)
        for hold in model.reservations.values where hold.isOpen && involved.contains(hold.wallet) {
            if let expiresAt = hold.expiresAt { #expect(expiresAt > time, place) }
        }
    }

    /// Takes an event into the log: what holds of every event, whatever its type.
    private mutating func record(_ event: Event) throws {
        types.insert(event.change.type)
        #expect(event.position == ledger.position + 1, place)
        #expect(event.recordedAt > ledger.lastTime || ledger.position == 0, place)
        #expect(event.isBalanced, place)
        for balance in event.balances {
            let before = ledger.state.wallets[balance.wallet]
            #expect(balance.version == (before?.version ?? 0) + 1, place)
            #expect(
                balance.total == (before?.total ?? 0) + event.change(of: balance.wallet), place)
        }
        let posted = Set(event.postings.compactMap(\.account.wallet))
        #expect(posted.isSubset(of: event.balances.map(\.wallet)), place)
        let bytes = event.canonicalBytes
        let decoded = try Event(canonicalBytes: bytes)
        #expect(decoded == event, place)
        #expect(decoded.canonicalBytes == bytes, place)
        replayed.evolve(decoded)
        ledger.apply(event)
    }

    private func checkBalances() throws {
        var sums = ledger.state.external
        try #require(ledger.state.wallets.count == model.purses.count, place)
        for (id, wallet) in ledger.state.wallets {
            let purse = ReferenceModel.Purse(
                currency: wallet.currency, total: wallet.total, held: wallet.held,
                version: wallet.version, isFrozen: wallet.status == .frozen,
                isClosed: wallet.status == .closed)
            try #require(purse == model.purses[id], place)
            try #require(0 <= wallet.held && wallet.held <= wallet.total, place)
            sums[wallet.currency, default: 0] += wallet.total
        }
        try #require(sums.values.allSatisfy { $0 == 0 }, place)
    }

    /// Two requests share their bytes, and so a fingerprint, only if they ask for the same.
    func checkFingerprints() {
        #expect(Set(instructions.map(\.canonicalBytes)).count == instructions.count, place)
    }

    /// The log's bytes give the same ledger again, and holds add up to what is held.
    func checkReplay() {
        #expect(replayed.wallets == ledger.state.wallets, place)
        #expect(replayed.holds == ledger.state.holds, place)
        #expect(replayed.references == ledger.state.references, place)
        #expect(replayed.external == ledger.state.external, place)
        for (id, wallet) in ledger.state.wallets {
            let open = ledger.state.holds.values.filter { $0.wallet == id && $0.status == .open }
            #expect(open.reduce(0) { $0 + $1.amount.minorUnits } == wallet.held, place)
        }
        for (id, move) in model.moves {
            #expect(ledger.state.transactions[id]?.reversedAmount == move.reversed, place)
        }
    }
}
