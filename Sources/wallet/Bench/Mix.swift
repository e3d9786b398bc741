import ArgumentParser

/// What kinds of requests a load is made of, by weight: `transfer=70,deposit=10,balance=20`.
struct Mix: ExpressibleByArgument, CustomStringConvertible, Sendable {
    private var weights: [(kind: RequestKind, weight: Int)]
    private let total: Int

    /// Kinds that a mix can hold.
    static let kinds: [RequestKind] = [
        .transfer, .deposit, .withdrawal, .balance, .wallet, .transactions,
    ]

    init?(argument: String) {
        weights = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, let weight = Int(pair[1]), (0...1_000_000).contains(weight),
                let kind = Self.kinds.first(where: { $0.rawValue == pair[0] }),
                !weights.contains(where: { $0.kind == kind })
            else { return nil }
            weights.append((kind, weight))
        }
        total = weights.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return nil }
    }

    static let transfers = Mix(.transfer)

    private init(_ kind: RequestKind) {
        weights = [(kind, 100)]
        total = 100
    }

    func contains(_ kind: RequestKind) -> Bool {
        weights.contains { $0.kind == kind && $0.weight > 0 }
    }

    func next(_ random: inout SplitMix) -> RequestKind {
        guard weights.count > 1 else { return weights[0].kind }
        var left = random.below(total)
        for (kind, weight) in weights {
            if left < weight { return kind }
            left -= weight
        }
        return weights[0].kind
    }

    var description: String {
        weights.map { "\($0.kind.rawValue)=\($0.weight)" }.joined(separator: ",")
    }

    var defaultValueDescription: String { description }
}

/// How fast requests are made.
enum Rate: ExpressibleByArgument, CustomStringConvertible {
    /// Closed loop: each connection sends the next request as soon as it has its answer.
    case max
    /// Open loop: so many a second are due, whatever the answers do.
    case perSecond(Double)

    init?(argument: String) {
        if argument == "max" {
            self = .max
        } else if let number = Double(argument), (0.01...10_000_000).contains(number) {
            self = .perSecond(number)
        } else {
            return nil
        }
    }

    var description: String {
        switch self {
        case .max: "max"
        case .perSecond(let number): Figure.short(number)
        }
    }

    var defaultValueDescription: String { description }
}
