package import WalletCore

extension Append {
    /// Adds the rows of every projection that events change, given the state after them.
    package mutating func project(_ events: [Event], onto state: LedgerState) {
        var touched: Set<WalletID> = []
        var openedHere: Set<WalletID> = []
        var holds: Set<HoldID> = []
        for event in events {
            entries.append(contentsOf: Entry.entries(of: event))
            touched.formUnion(event.balances.map(\.wallet))
            if let reference = event.reference {
                references.append(
                    ReferenceRecord(
                        key: reference.key,
                        use: ReferenceUse(id: reference.id, position: event.position)))
            }
            switch event.change {
            case .walletOpened(let id, _, _): openedHere.insert(id)
            case .holdPlaced(let id, _, _, _, _, _), .holdCaptured(_, let id, _, _),
                .holdReleased(let id, _, _, _), .holdExpired(let id, _, _, _, _):
                holds.insert(id)
            case .reversed(_, let original, let reversedTotal):
                reversals.append(
                    ReversalRecord(
                        position: original.embeddedPosition, reversedAmount: reversedTotal))
            case .deposited, .withdrawn, .transferred, .walletFrozen, .walletUnfrozen,
                .walletClosed:
                break
            }
            for case .external(let currency) in event.postings.map(\.account) {
                external[currency] = state.external[currency]
            }
        }
        opened = openedHere.sorted().compactMap { state.wallets[$0] }
        updated = touched.subtracting(openedHere).sorted().compactMap { state.wallets[$0] }
        self.holds = holds.sorted().compactMap { state.holds[$0] }
    }
}
