/// What the bench's wallets must hold, reckoned from nothing but the answers that were given.
final class Books {
    /// Requests of unknown outcome that are remembered at most.
    static let mostUnknown = 1_000_000

    private(set) var expected: [Int64]
    private(set) var deposited: Int64 = 0
    private(set) var withdrawn: Int64 = 0
    /// Requests that may have happened: they are settled by sending them again with their keys.
    var unknown: [BenchRequest] = []
    /// Unknown ones that were not remembered: with one of these the books prove nothing.
    private(set) var forgotten = 0
    private(set) var lastNumber = 0

    init(wallets: Int) {
        expected = Array(repeating: 0, count: wallets)
    }

    /// The number of a new idempotency key.
    func newNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    /// Enters what an answer says about a request, also when it was sent before.
    ///
    /// A 4xx says that *this attempt* changed nothing, which settles a first one; and 422 and the
    /// like are said again for the same key. A 5xx, a 409 or a 429 settles nothing.
    func enter(_ request: BenchRequest, status: Int, isRepeated: Bool) {
        guard request.number > 0 else { return }
        switch status {
        case 200..<300: apply(request)
        case 400, 404, 422: break
        case 401..<500 where status != 409 && !isRepeated: break
        default: remember(request)
        }
    }

    func remember(_ request: BenchRequest) {
        guard request.number > 0 else { return }
        if unknown.count < Self.mostUnknown {
            unknown.append(request)
        } else {
            forgotten += 1
        }
    }

    private func apply(_ request: BenchRequest) {
        switch request.kind {
        case .deposit:
            expected[request.wallet] += request.amount
            deposited += request.amount
        case .withdrawal:
            expected[request.wallet] -= request.amount
            withdrawn += request.amount
        case .transfer:
            expected[request.wallet] -= request.amount
            expected[request.target] += request.amount
        case .batch:
            for operation in request.operations { apply(operation) }
        case .open, .balance, .balanceAt, .wallet, .transactions: break
        }
    }
}
