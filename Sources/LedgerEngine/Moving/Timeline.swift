import WalletCore

extension LedgerTransaction {
    /// Begins a new timeline after the head: what was recorded after it elsewhere, if anything was,
    /// is lost, and no token, cursor or memory of it may be trusted.
    @discardableResult
    package func beginEpoch() throws -> Head {
        var head = try head()
        var epochs = try epochs()
        head.epoch = max(try now().microseconds, (epochs.last?.epoch ?? head.epoch) + 1)
        epochs.append(Epoch(epoch: head.epoch, firstPosition: head.position + 1))
        try setTimeline(head, epochs: epochs)
        return head
    }
}
