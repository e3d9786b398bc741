package import WalletCore

/// An event with its free text, which lies beside the log.
package struct EventView: Sendable {
    package var event: Event
    /// Empty where there was none or it has been erased.
    package var text: FreeText

    package init(event: Event, text: FreeText) {
        self.event = event
        self.text = text
    }
}

extension Queries {
    /// The events at these positions; positions that the log does not have are left out.
    package func events(
        at positions: [Int64], after token: ConsistencyToken?
    ) async throws -> Reading<[Int64: EventView]> {
        try await read(after: token) { snapshot, _ in try snapshot.eventViews(at: positions) }
    }

    /// What became of the request with an idempotency key; `nil` where nothing is known of it.
    ///
    /// - Parameter key: see ``Digest/idempotencyKey(_:of:)``.
    package func outcome(
        of key: Digest, after token: ConsistencyToken?
    ) async throws -> Reading<Outcome?> {
        try await read(after: token) { snapshot, _ in
            if let outcome = try snapshot.recordedOutcome(of: key) { return .recorded(outcome) }
            guard let refusal = try snapshot.refusals([key]).first else { return nil }
            return .refused(
                RefusedOutcome(
                    refusal: refusal.refusal, isReplay: true, requestID: refusal.requestID))
        }
    }
}

extension LedgerSnapshot {
    func eventViews(at positions: [Int64]) throws -> [Int64: EventView] {
        guard !positions.isEmpty else { return [:] }
        let texts = try texts(positions).byPosition
        return try events(at: positions).mapValues { event in
            EventView(event: event, text: texts[event.position] ?? FreeText())
        }
    }

    fileprivate func recordedOutcome(of key: Digest) throws -> RecordedOutcome? {
        guard let position = try keys([key]).first?.position else { return nil }
        guard let view = try eventViews(at: [position])[position] else {
            throw StoreError.corrupted(reason: "a key names an event that is not there")
        }
        // A store may tell keys apart by a part of the hash only; the event has the whole.
        guard view.event.cause.idempotency?.key == key else { return nil }
        return RecordedOutcome(event: view.event, text: view.text, isReplay: true)
    }
}
