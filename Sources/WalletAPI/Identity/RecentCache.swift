package import WalletCore

/// What was found out lately, by SHA-256: for a short time each, and of a bounded number.
///
/// Two generations: when the young one is full it takes the place of the old one, which is dropped.
/// So memory is constant, and nothing is ever searched.
package struct RecentCache<Value> {
    private struct Finding {
        var value: Value
        var until: ContinuousClock.Instant
    }

    private let generation: Int
    private var young: [Digest: Finding] = [:]
    private var old: [Digest: Finding] = [:]

    /// - Parameter capacity: how many findings are kept at most.
    package init(capacity: Int) {
        generation = max(1, capacity / 2)
    }

    /// How many findings are kept now, those that have expired among them.
    package var count: Int { young.count + old.count }

    /// What was found out, if it still holds.
    package func value(of hash: Digest, at instant: ContinuousClock.Instant) -> Value? {
        guard let finding = young[hash] ?? old[hash], finding.until > instant else { return nil }
        return finding.value
    }

    /// Whether anything was found out not long ago, though it may hold no more.
    package func wasKnown(_ hash: Digest) -> Bool { young[hash] != nil || old[hash] != nil }

    package mutating func remember(
        _ value: Value, of hash: Digest, until instant: ContinuousClock.Instant
    ) {
        if young.count >= generation, young[hash] == nil {
            old = young
            young = [:]
        }
        young[hash] = Finding(value: value, until: instant)
    }

    package mutating func forget(_ hash: Digest) {
        young[hash] = nil
        old[hash] = nil
    }
}
