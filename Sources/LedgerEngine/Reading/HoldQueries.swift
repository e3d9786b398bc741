package import WalletCore

/// A hold as it is for a reader, with what lies beside its row.
package struct HoldView: Sendable {
    /// Expired from its instant on, whether or not that is recorded.
    package var hold: Hold
    /// The caller's business identifier.
    package var reference: String?
    package var text: FreeText

    package init(hold: Hold, reference: String?, text: FreeText) {
        self.hold = hold
        self.reference = reference
        self.text = text
    }
}

extension Queries {
    /// A hold; `nil` where there is none.
    package func hold(
        _ id: HoldID, after token: ConsistencyToken?
    ) async throws -> Reading<HoldView?> {
        try await read(after: token) { [now] snapshot, head in
            let present = max(now(), head.recordedAt)
            return try snapshot.views(of: try snapshot.holds([id]), at: present).first
        }
    }

    /// A wallet's holds in order of their placement; `nil` where there is no such wallet.
    ///
    /// - Parameter status: only holds that have this status now; every one where there is none.
    package func holds(
        of wallet: WalletID, status: HoldStatus?, startingAfter: HoldID?, limit: Int,
        after token: ConsistencyToken?
    ) async throws -> Reading<[HoldView]?> {
        try await read(after: token) { [now] snapshot, head in
            guard try !snapshot.wallets([wallet]).isEmpty else { return nil }
            let present = max(now(), head.recordedAt)
            let holds = try HoldQuery.parts(
                of: status, at: present, after: startingAfter, limit: limit
            ).flatMap { try snapshot.holds(of: wallet, $0) }
            return try snapshot.views(
                of: Array(holds.sorted { $0.id < $1.id }.prefix(limit)), at: present)
        }
    }
}

extension HoldQuery {
    /// The queries whose results together are the holds of a status at an instant. Each reads one
    /// range of an index and stops at the limit.
    fileprivate static func parts(
        of status: HoldStatus?, at present: Instant, after: HoldID?, limit: Int
    ) -> [HoldQuery] {
        func part(_ status: HoldStatus) -> HoldQuery {
            HoldQuery(status: status, after: after, limit: limit)
        }
        var open = part(.open)
        switch status {
        case nil:
            return HoldStatus.allCases.map(part)
        case .open:
            open.expiringAfter = present
            return [open]
        case .captured:
            return [part(.captured)]
        case .released:
            return [part(.released)]
        case .expired:
            open.expiringBy = present
            return [part(.expired), open]
        }
    }
}

extension LedgerSnapshot {
    fileprivate func views(of holds: [Hold], at present: Instant) throws -> [HoldView] {
        let placed = try eventViews(at: holds.map(\.placedPosition))
        return try holds.map { hold in
            guard let event = placed[hold.placedPosition],
                case .holdPlaced(hold.id, _, _, _, _, let reference) = event.event.change
            else {
                throw StoreError.corrupted(reason: "a hold names an event that is not its own")
            }
            var hold = hold
            if hold.isDue(at: present) { hold.status = .expired }
            return HoldView(hold: hold, reference: reference, text: event.text)
        }
    }
}
