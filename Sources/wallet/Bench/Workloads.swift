import Histogram
import NIOCore
import WalletCore

/// Opens the bench's wallets.
final class OpenWallets: Workload {
    private let books: Books
    private let driver: Driver
    private var opened = 0
    private(set) var failure: SetupFailure?

    init(_ books: Books, _ driver: Driver) {
        self.books = books
        self.driver = driver
    }

    func next() -> BenchRequest? {
        guard opened < books.expected.count, failure == nil else { return nil }
        defer { opened += 1 }
        return BenchRequest(kind: .open, wallet: opened, number: books.newNumber())
    }

    func answered(_ request: BenchRequest, by response: Response) {
        guard response.status == 201, let id = response.text("id") else {
            return failure = failure ?? SetupFailure(response)
        }
        driver.ids[request.wallet] = Array(id.utf8)[...]
    }

    func lost(_ request: BenchRequest) {
        failure = failure ?? SetupFailure()
    }
}

/// Why the wallets could not be made ready, in words.
struct SetupFailure {
    var description: String

    init(_ response: Response) {
        switch response.status {
        case 401: description = "The service does not accept the key (401); give another by --key."
        case 403: description = "The key may not write (403); give one with read and write."
        default:
            let detail = response.text("detail") ?? "no detail"
            description = "The service answered \(response.status) in the preparation: \(detail)"
        }
    }

    init() {
        description = "The service broke a connection in the preparation."
    }
}

/// The same amount into each of some wallets, some number of times.
final class Deposits: Workload {
    private let books: Books
    private let amount: Int64
    /// How many each wallet still gets.
    private var left: [(wallet: Int, count: Int)]
    private(set) var failure: SetupFailure?

    init(_ books: Books, _ amount: Int64, counts: [(wallet: Int, count: Int)]) {
        self.books = books
        self.amount = amount
        left = counts.reversed()
    }

    func next() -> BenchRequest? {
        while let last = left.last, last.count == 0 { left.removeLast() }
        guard let last = left.last, failure == nil else { return nil }
        left[left.count - 1].count -= 1
        return BenchRequest(
            kind: .deposit, wallet: last.wallet, amount: amount, number: books.newNumber())
    }

    func answered(_ request: BenchRequest, by response: Response) {
        if (400..<500).contains(response.status) { failure = failure ?? SetupFailure(response) }
        books.enter(request, status: response.status, isRepeated: false)
    }

    func lost(_ request: BenchRequest) {
        books.remember(request)
    }
}

/// The load itself: requests of a mix, on wallets chosen at random.
final class Traffic: Workload {
    private static let largestAmount = 100

    private let books: Books
    private let mix: Mix
    private let chooser: Chooser
    private let batch: Int
    private var random: SplitMix

    /// - Parameter batch: how many transfers come in one request.
    init(_ books: Books, _ mix: Mix, _ chooser: Chooser, batch: Int, seed: UInt64) {
        self.books = books
        self.mix = mix
        self.batch = batch
        self.chooser = chooser
        random = SplitMix(seed: seed)
    }

    func next() -> BenchRequest? {
        if batch > 1 {
            var request = BenchRequest(kind: .batch, wallet: 0, number: books.newNumber())
            request.operations = (0..<batch).map { _ in transfer() }
            return request
        }
        let kind = mix.next(&random)
        switch kind {
        case .transfer: return transfer()
        case .deposit, .withdrawal:
            return BenchRequest(
                kind: kind, wallet: chooser.next(&random), amount: amount(),
                number: books.newNumber())
        case .balance, .wallet, .transactions, .open, .balanceAt, .batch:
            return BenchRequest(kind: kind, wallet: chooser.next(&random))
        }
    }

    func answered(_ request: BenchRequest, by response: Response) {
        books.enter(request, status: response.status, isRepeated: false)
    }

    func lost(_ request: BenchRequest) {
        books.remember(request)
    }

    private func transfer() -> BenchRequest {
        let (source, target) = chooser.nextPair(&random)
        return BenchRequest(
            kind: .transfer, wallet: source, target: target, amount: amount(),
            number: books.newNumber())
    }

    private func amount() -> Int64 {
        Int64(1 + random.below(Self.largestAmount))
    }
}

/// Sends what is of unknown outcome again, with the same keys.
final class Settlement: Workload {
    private let books: Books
    private var left: [BenchRequest]

    init(_ books: Books) {
        self.books = books
        left = books.unknown
        books.unknown = []
    }

    func next() -> BenchRequest? { left.popLast() }

    func answered(_ request: BenchRequest, by response: Response) {
        books.enter(request, status: response.status, isRepeated: true)
    }

    func lost(_ request: BenchRequest) {
        books.remember(request)
    }
}

/// Reads what the wallets hold; those whose reading failed can be read in another round.
final class Totals: Workload {
    private(set) var totals: [Int64?]
    private var position = 0

    init(wallets: Int) {
        totals = Array(repeating: nil, count: wallets)
    }

    var isComplete: Bool { !totals.contains(nil) }

    func beginRound() {
        position = 0
    }

    func next() -> BenchRequest? {
        while position < totals.count, totals[position] != nil { position += 1 }
        guard position < totals.count else { return nil }
        defer { position += 1 }
        return BenchRequest(kind: .balance, wallet: position)
    }

    func answered(_ request: BenchRequest, by response: Response) {
        if response.status == 200 { totals[request.wallet] = response.integer("total") }
    }

    func lost(_ request: BenchRequest) {}
}

/// Asks for balances at random instants, of some wallets in turn, over one connection.
final class PointInTime: Workload {
    /// A wallet and the time in which its entries lie.
    struct Span {
        var wallet: Int
        var from: Instant
        var until: Instant
    }

    private let spans: [Span]
    private var random: SplitMix
    private var turn = 0
    private var sentAt = NIODeadline.now()
    private(set) var latencies: [Histogram<UInt64>]
    /// Answers that are not what deposits of 1 leave behind at any instant: total = version − 1.
    private(set) var wrong = 0

    init(_ spans: [Span], seed: UInt64) {
        self.spans = spans
        random = SplitMix(seed: seed)
        latencies = spans.map { _ in
            Histogram(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
        }
    }

    func next() -> BenchRequest? {
        turn = (turn + 1) % spans.count
        let span = spans[turn]
        let width = Int(span.until.microseconds - span.from.microseconds)
        sentAt = .now()
        return BenchRequest(
            kind: .balanceAt, wallet: span.wallet,
            instant: span.from.advanced(byMicroseconds: Int64(random.below(max(1, width)))))
    }

    func answered(_ request: BenchRequest, by response: Response) {
        latencies[turn].record(UInt64(max(0, (NIODeadline.now() - sentAt).nanoseconds)))
        guard response.status == 200, let total = response.integer("total"),
            let version = response.integer("version"), total == version - 1
        else { return wrong += 1 }
    }

    func lost(_ request: BenchRequest) {
        wrong += 1
    }
}

/// Sends a few requests and keeps what is answered.
final class Questions: Workload {
    private var left: [BenchRequest]
    private(set) var answers: [(request: BenchRequest, response: Response)] = []

    init(_ requests: [BenchRequest]) {
        left = requests.reversed()
    }

    func next() -> BenchRequest? { left.popLast() }

    func answered(_ request: BenchRequest, by response: Response) {
        answers.append((request, response))
    }

    func lost(_ request: BenchRequest) {}
}
