package import LedgerEngine
package import WalletCore

/// Decides commands as the engine does, without a store: what a store is given to write comes out.
///
/// Suites of stores and of the verifier work on what real commands lead to, and still choose the
/// time and the neighbours of every event.
package struct Scribe: Sendable {
    package private(set) var head: Head
    package private(set) var state = LedgerState()
    /// Every event so far, in order.
    package private(set) var events: [Event] = []
    private var commands: UInt64 = 0

    package init(after head: Head) {
        self.head = head
    }

    /// One commit with what the commands lead to, one microsecond apart.
    ///
    /// - Throws: the refusal of a command that is refused.
    package mutating func append(
        _ commands: [Command], at instant: Instant? = nil, by actor: Actor = Fixture.shop,
        text: FreeText = FreeText()
    ) throws(Refusal) -> Append {
        let firstPosition = head.position + 1
        var body: [UInt8] = []
        var events: [Event] = []
        var keys: [KeyRecord] = []
        var texts: [TextRecord] = []
        for command in commands {
            self.commands += 1
            let submission = Fixture.submission(
                command, key: "scribe-\(self.commands)", by: actor, text: text)
            let next = max(
                instant ?? head.recordedAt, head.recordedAt.advanced(byMicroseconds: 1))
            let decision = state.decide(
                Instruction(command, text: text),
                cause: Cause(
                    actor: actor, command: command.kind,
                    idempotency: IdempotencyStamp(
                        key: submission.key, fingerprint: submission.fingerprint ?? .zero)),
                text: submission.text?.commitment,
                at: Moment(
                    position: head.position + 1, epoch: head.epoch, time: next,
                    entropy: self.commands))
            for expiry in decision.expiries { write(expiry, to: &body, &events) }
            let event = try decision.outcome.get()
            write(event, to: &body, &events)
            keys.append(KeyRecord(key: submission.key, position: event.position))
            if let text = submission.text {
                texts.append(TextRecord(position: event.position, text: text))
            }
        }
        var append = Append(head: head)
        append.segment = Segment(
            firstPosition: firstPosition, lastPosition: head.position,
            recordedAt: head.recordedAt, body: body)
        append.project(events, onto: state)
        append.keys = keys
        append.texts = texts
        return append
    }

    private mutating func write(
        _ event: Event, to body: inout [UInt8], _ events: inout [Event]
    ) {
        let bytes = event.canonicalBytes
        head.hash = .chain(after: head.hash, bytes)
        head.position = event.position
        head.recordedAt = event.recordedAt
        Segment.appendFrame(bytes, hash: head.hash, to: &body)
        state.evolve(event)
        if let transaction = ReversibleTransaction(event, reversedAmount: 0) {
            state.transactions[transaction.id] = transaction
        }
        events.append(event)
        self.events.append(event)
    }
}

extension Scribe {
    /// The wallets that were opened, in order.
    package var wallets: [WalletID] {
        events.compactMap { event in
            guard case .walletOpened(let id, _, _) = event.change else { return nil }
            return id
        }
    }

    /// The holds that were placed, in order.
    package var holds: [HoldID] {
        events.compactMap { event in
            guard case .holdPlaced(let id, _, _, _, _, _) = event.change else { return nil }
            return id
        }
    }

    /// The transactions, in order.
    package var transactions: [TransactionID] { events.compactMap(\.movement?.transaction) }
}
