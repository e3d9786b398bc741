import Testing
import WalletCore
import WalletTesting

@Suite("A hold whose time has come")
struct HoldExpiryTests {
    private typealias Table = RefusalTable
    private let start = ManualClock.start

    private func after(_ microseconds: Int64) -> Instant {
        start.advanced(byMicroseconds: microseconds)
    }

    /// One wallet of 100, of which 30 + 20 + 10 are held until 50, 40 and 40 µs from the start.
    private var ledger: SmallLedger {
        var ledger = SmallLedger()
        ledger.add(Table.rich, total: 100, held: 60)
        ledger.add(Table.empty)
        ledger.add(Sample.hold(1), of: Table.rich, 30, expiresAt: after(50))
        ledger.add(Sample.hold(3), of: Table.rich, 20, expiresAt: after(40))
        ledger.add(Sample.hold(2), of: Table.rich, 10, expiresAt: after(40))
        return ledger
    }

    private func expired(_ decision: Decision) -> [HoldID] {
        decision.expiries.compactMap {
            guard case .holdExpired(let hold, _, _, _, _) = $0.change else { return nil }
            return hold
        }
    }

    @Test("expires at that instant and not a microsecond earlier")
    func boundary() {
        #expect(expired(ledger.decide(.withdraw(Table.rich, 1), at: after(39))).isEmpty)
        let at = ledger.decide(.withdraw(Table.rich, 1), at: after(40))
        #expect(expired(at) == [Sample.hold(2), Sample.hold(3)])
    }

    @Test("expires before what is asked, in order of time and identifier, an event each")
    func order() throws {
        var ledger = ledger
        let decision = ledger.run(.withdraw(Table.rich, 100), at: after(60))
        #expect(expired(decision) == [Sample.hold(2), Sample.hold(3), Sample.hold(1)])
        #expect(decision.events.map(\.position) == [1, 2, 3, 4])
        #expect(decision.events.map(\.recordedAt) == (60...63).map(after))
        #expect(decision.expiries.map { $0.balances[0].held } == [50, 30, 0])
        #expect(decision.events.map { $0.balances[0].version } == [8, 9, 10, 11])
        for event in decision.expiries {
            #expect(event.cause == Cause(actor: .system, command: .expire, idempotency: nil))
            #expect(event.postings.isEmpty)
            #expect(event.text == nil)
        }
        #expect(try #require(decision.event).balances[0].total == 0)
        #expect(ledger.state.holds.values.allSatisfy { $0.status == .expired })
        #expect(ledger.state.wallets[Table.rich]?.held == 0)
    }

    @Test("expires by the microsecond that an expiry before it takes")
    func cascade() {
        var ledger = ledger
        ledger.add(Sample.hold(4), of: Table.rich, 1, expiresAt: after(41))
        ledger.state.wallets[Table.rich]?.held = 61
        let decision = ledger.decide(.withdraw(Table.rich, 1), at: after(40))
        #expect(expired(decision) == [Sample.hold(2), Sample.hold(3), Sample.hold(4)])
    }

    @Test("expires although the command is refused")
    func refused() {
        var ledger = ledger
        let decision = ledger.run(.withdraw(Table.rich, 101), at: after(60))
        #expect(decision.refusal?.code == .insufficientFunds)
        #expect(decision.events.count == 3)
        #expect(ledger.state.wallets[Table.rich]?.available == 100)
    }

    @Test("expires before the version is compared")
    func version() {
        let command = Command.withdraw(Table.rich, 1)
        #expect(ledger.decide(command, ifMatch: 7, at: after(39)).refusal == nil)
        #expect(
            ledger.decide(command, ifMatch: 7, at: after(40)).refusal?.code == .versionMismatch)
        #expect(ledger.decide(command, ifMatch: 9, at: after(40)).refusal == nil)
    }

    @Test("can neither be captured nor released any more")
    func tooLate() {
        // Two other holds expire first, and their events take a microsecond each.
        for command in [Command.capture(Sample.hold(1)), .releaseHold(hold: Sample.hold(1))] {
            #expect(ledger.decide(command, at: after(47)).refusal == nil)
            #expect(ledger.decide(command, at: after(48)).refusal?.code == .holdNotOpen)
        }
    }

    @Test("is not touched by commands that have nothing to do with its wallet")
    func uninvolved() {
        let open = Command.openWallet(userID: "u", currency: Fixture.currency("USD"))
        for command in [open, .deposit(Table.empty, 1), .freezeWallet(Table.empty)] {
            #expect(ledger.decide(command, at: after(60)).events.count == 1)
        }
    }

    @Test("expires whichever side of a movement its wallet is on")
    func bothSides() {
        var ledger = ledger
        let usd = Account.external(Fixture.currency("USD"))
        ledger.add(Table.full, total: 10, held: 5)
        ledger.add(Sample.hold(9), of: Table.full, 5)
        ledger.add(Sample.transaction(1), .deposited, from: usd, to: .wallet(Table.rich), 5)
        ledger.add(
            Sample.transaction(2), .transferred, from: .wallet(Table.rich),
            to: .wallet(Table.full), 5)
        for command in [
            .transfer(Table.full, Table.rich, 5), .capture(Sample.hold(9), to: Table.rich),
            .reverse(Sample.transaction(1)), .reverse(Sample.transaction(2)),
        ] as [Command] {
            let decision = ledger.decide(command, at: after(60))
            #expect(decision.refusal == nil)
            #expect(decision.expiries.count == 3, "\(command.kind)")
        }
    }

    @Test("is nothing to record while it is open in time, or when it is closed already")
    func notDue() throws {
        let state = ledger.state
        let hold = try #require(state.holds[Sample.hold(1)])
        func moment(_ time: Instant) -> Moment {
            Moment(position: 1, epoch: 1, time: time, entropy: 0)
        }
        #expect(state.expire(hold, at: moment(after(49))) == nil)
        #expect(state.expire(hold, at: moment(after(50)))?.change.type == .holdExpired)
        var other = hold
        other.expiresAt = nil
        #expect(state.expire(other, at: moment(.latest)) == nil)
        for status in HoldStatus.allCases where status != .open {
            other = hold
            other.status = status
            #expect(state.expire(other, at: moment(.latest)) == nil)
        }
        other = hold
        other.wallet = Table.missing
        #expect(state.expire(other, at: moment(.latest)) == nil)
    }
}
