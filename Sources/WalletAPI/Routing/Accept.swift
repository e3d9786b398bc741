/// The kinds of answer that a client takes, by its `Accept` header (RFC 9110 §12.5.1).
package struct Accept: Sendable {
    /// How many kinds are looked at; the header's length is limited already.
    private static let maximumRanges = 64

    private struct MediaRange {
        /// `text/csv`, `text/*` or `*/*`.
        var kind: String
        /// In thousandths.
        var quality: Int
    }

    private var ranges: [MediaRange] = []

    /// Reads the header; one that is absent or empty takes everything.
    package init(_ header: String?) {
        for part in (header ?? "").split(separator: ",").prefix(Accept.maximumRanges) {
            let members = part.split(separator: ";", omittingEmptySubsequences: false)
                .map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            let quality = members.dropFirst().first { $0.hasPrefix("q=") }
            ranges.append(
                MediaRange(
                    kind: members[0],
                    quality: quality.map { Accept.thousandths($0.dropFirst(2)) } ?? 1_000))
        }
    }

    /// The kind that the client likes best; of those it likes equally, the one offered first.
    package func best(of offers: String...) -> String? {
        guard !ranges.isEmpty else { return offers.first }
        var best: (kind: String, quality: Int)?
        for offer in offers {
            let quality = quality(of: offer)
            if quality > best?.quality ?? 0 { best = (offer, quality) }
        }
        return best?.kind
    }

    /// The most specific range that matches has the word.
    private func quality(of kind: String) -> Int {
        let family = kind.prefix { $0 != "/" } + "/*"
        for name in [kind, String(family), "*/*"] {
            if let range = ranges.first(where: { $0.kind == name }) { return range.quality }
        }
        return 0
    }

    /// `0.75` as 750; what is no weight counts as 0.
    private static func thousandths(_ text: Substring) -> Int {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let decimals = parts.count > 1 ? parts[1] : ""
        guard parts[0] == "0" || parts[0] == "1", decimals.utf8.count <= 3,
            decimals.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let fraction = Int(decimals + String(repeating: "0", count: 3 - decimals.utf8.count))
        else { return 0 }
        return min(1_000, (parts[0] == "1" ? 1_000 : 0) + fraction)
    }
}
