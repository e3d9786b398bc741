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

/// What became of an idempotency key.
package enum KeyOutcome: Sendable {
    case request(Outcome)
    /// Of a batch: the events that its operations led to, in their order; `nil` for operations
    /// that were refused, or done before under their own keys, which tell.
    case batch([Outcome?])
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
    ) async throws -> Reading<KeyOutcome?> {
        try await read(after: token) { snapshot, _ in
            if let outcome = try snapshot.recordedOutcome(of: key) { return outcome }
            guard let record = try snapshot.refusals([key]).first else { return nil }
            if let size = record.refusal.settledBatchSize, BatchSubmission.sizes.contains(size) {
                return .batch(Array(repeating: nil, count: size))
            }
            return .request(
                .refused(
                    RefusedOutcome(
                        refusal: record.refusal, isReplay: true, requestID: record.requestID)))
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

    fileprivate func recordedOutcome(of key: Digest) throws -> KeyOutcome? {
        guard let position = try keys([key]).first?.position else { return nil }
        guard let view = try eventViews(at: [position])[position] else {
            throw StoreError.corrupted(reason: "a key names an event that is not there")
        }
        // A store may tell keys apart by a part of the hash only; the event has the whole.
        guard let stamp = view.event.cause.idempotency else { return nil }
        if stamp.key == key {
            return .request(
                .recorded(
                    RecordedOutcome(event: view.event, text: view.text, isReplay: true)))
        }
        guard let batch = stamp.batch, batch.key == key else { return nil }
        return .batch(try outcomes(of: batch, from: position))
    }

    /// How many events of expired holds are passed in a row, looking for a batch's next event.
    private var expiriesPassed: Int { 10_000 }

    /// What was recorded of a batch in one go: its events up to the first of another request.
    ///
    /// Where segments end says nothing about it, since an import cuts them anew.
    private func outcomes(of batch: BatchStamp, from position: Int64) throws -> [Outcome?] {
        guard let size = Int(exactly: batch.size), BatchSubmission.sizes.contains(size) else {
            throw StoreError.corrupted(reason: "a batch is not what it can be")
        }
        var outcomes: [Outcome?] = Array(repeating: nil, count: size)
        var next = position
        var passed = 0
        while passed <= expiriesPassed, let segment = try segment(containing: next) {
            let positions = Array(next...segment.lastPosition)
            let views = try eventViews(at: positions)
            for view in positions.compactMap({ views[$0] }) {
                guard let stamp = view.event.cause.idempotency else {
                    passed += 1
                    continue
                }
                guard let stamp = stamp.batch, stamp.key == batch.key else { return outcomes }
                passed = 0
                guard let index = Int(exactly: stamp.index), outcomes.indices.contains(index)
                else { continue }
                outcomes[index] = .recorded(
                    RecordedOutcome(event: view.event, text: view.text, isReplay: true))
            }
            next = segment.lastPosition + 1
        }
        return outcomes
    }
}
