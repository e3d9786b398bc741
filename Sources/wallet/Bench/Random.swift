import Foundation

/// Random numbers that a seed reproduces (SplitMix64), cheap enough to be no part of what is
/// measured.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// A number below `bound`, which is greater than 0; the bias is below bound / 2^64.
    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}

/// Chooses among `count` things: all alike, or by Zipf's law, in which the first is the hottest.
///
/// Walker's alias method: one draw is two random numbers and one look, whatever the count.
struct Chooser {
    let count: Int
    /// Per slot: the share of 2^32 in which the slot itself is taken, and what is taken otherwise.
    private var slots: [(threshold: UInt64, alias: Int)] = []

    /// - Parameter exponent: 0 for a uniform choice; otherwise thing k has the weight 1 / k^s.
    init(count: Int, zipf exponent: Double) {
        self.count = count
        guard exponent > 0 else { return }
        let weights = (1...count).map { 1 / pow(Double($0), exponent) }
        let scale = Double(count) / weights.reduce(0, +)
        var shares = weights.map { $0 * scale }
        slots = Array(repeating: (1 << 32, 0), count: count)
        var small = shares.indices.filter { shares[$0] < 1 }
        var large = shares.indices.filter { shares[$0] >= 1 }
        while let poor = small.popLast(), let rich = large.last {
            slots[poor] = (UInt64(shares[poor] * 0x1p32), rich)
            shares[rich] -= 1 - shares[poor]
            if shares[rich] < 1 {
                large.removeLast()
                small.append(rich)
            }
        }
    }

    func next(_ random: inout SplitMix) -> Int {
        let slot = random.below(count)
        guard !slots.isEmpty else { return slot }
        let (threshold, alias) = slots[slot]
        return random.next() >> 32 < threshold ? slot : alias
    }

    /// Two different ones; `count` is at least 2.
    func nextPair(_ random: inout SplitMix) -> (Int, Int) {
        let first = next(&random)
        // A very hot one may come up again and again: after some tries its neighbour will do.
        for _ in 0..<8 {
            let second = next(&random)
            if second != first { return (first, second) }
        }
        return (first, (first + 1) % count)
    }
}
