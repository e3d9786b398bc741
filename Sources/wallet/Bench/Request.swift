import NIOCore
import WalletCore

enum RequestKind: String, CaseIterable {
    case open, deposit, withdrawal, transfer, batch
    case balance, wallet, transactions
    case balanceAt = "balance at an instant"
}

/// A request of the bench: a small value, so that it can be kept and sent again with its key.
struct BenchRequest {
    var kind: RequestKind
    /// Which of the bench's wallets.
    var wallet: Int
    /// Where a transfer goes to.
    var target = 0
    var amount: Int64 = 0
    var instant: Instant?
    /// The idempotency key's number within the run; 0 for a reading.
    var number = 0
    /// The transfers of a batch.
    var operations: [BenchRequest] = []

    /// How many movements or readings it stands for.
    var size: Int { max(1, operations.count) }
}

/// The ids of the bench's wallets, as the bytes that are sent.
struct WalletIDs {
    private static let width = 36
    private var bytes: [UInt8]

    init(count: Int) {
        bytes = Array(repeating: UInt8(ascii: "0"), count: count * Self.width)
    }

    var count: Int { bytes.count / Self.width }

    subscript(index: Int) -> ArraySlice<UInt8> {
        get { bytes[index * Self.width..<(index + 1) * Self.width] }
        set {
            guard newValue.count == Self.width else { return }
            bytes.replaceSubrange(index * Self.width..<(index + 1) * Self.width, with: newValue)
        }
    }
}

/// Writes requests as HTTP/1.1 from prepared pieces.
struct RequestWriter {
    /// Tells this run's idempotency keys and users from those of all others.
    let run: String
    private let readHead: [UInt8]
    private let writeHead: [UInt8]
    private var body = ByteBuffer()

    init(host: String, key: String, run: String) {
        self.run = run
        let common = " HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Bearer \(key)\r\n"
        readHead = Array("\(common)\r\n".utf8)
        writeHead = Array(
            "\(common)Content-Type: application/json\r\nIdempotency-Key: bench-\(run)-".utf8)
    }

    mutating func write(_ request: BenchRequest, _ ids: WalletIDs, into buffer: inout ByteBuffer) {
        switch request.kind {
        case .open:
            body.clear()
            body.writeString("{\"userId\":\"bench-\(run)-\(request.wallet)\",\"currency\":\"USD\"}")
            buffer.writeStaticString("POST /v1/wallets")
            finish(request, &buffer)
        case .deposit:
            writeAmount(request)
            buffer.writeStaticString("POST /v1/wallets/")
            buffer.writeBytes(ids[request.wallet])
            buffer.writeStaticString("/deposits")
            finish(request, &buffer)
        case .withdrawal:
            writeAmount(request)
            buffer.writeStaticString("POST /v1/wallets/")
            buffer.writeBytes(ids[request.wallet])
            buffer.writeStaticString("/withdrawals")
            finish(request, &buffer)
        case .transfer:
            body.clear()
            body.writeStaticString("{")
            writeTransfer(request, ids)
            buffer.writeStaticString("POST /v1/transfers")
            finish(request, &buffer)
        case .batch:
            writeBatch(request, ids)
            buffer.writeStaticString("POST /v1/batches")
            finish(request, &buffer)
        case .balance: read(request, ids, "/balance", &buffer)
        case .wallet: read(request, ids, "", &buffer)
        case .transactions: read(request, ids, "/transactions", &buffer)
        case .balanceAt:
            buffer.writeStaticString("GET /v1/wallets/")
            buffer.writeBytes(ids[request.wallet])
            buffer.writeStaticString("/balance?at=")
            buffer.writeString((request.instant ?? .latest).rfc3339)
            buffer.writeBytes(readHead)
        }
    }

    /// Writes the members of a transfer and the end of its object.
    private mutating func writeTransfer(_ request: BenchRequest, _ ids: WalletIDs) {
        body.writeStaticString("\"from\":\"")
        body.writeBytes(ids[request.wallet])
        body.writeStaticString("\",\"to\":\"")
        body.writeBytes(ids[request.target])
        body.writeStaticString("\",\"amount\":")
        body.writeString(String(request.amount))
        body.writeStaticString("}")
    }

    /// Writes an atomic batch, of which one status tells all.
    private mutating func writeBatch(_ request: BenchRequest, _ ids: WalletIDs) {
        body.clear()
        body.writeStaticString("{\"atomic\":true,\"operations\":[")
        for (index, operation) in request.operations.enumerated() {
            if index > 0 { body.writeStaticString(",") }
            body.writeStaticString("{\"type\":\"transfer\",\"idempotencyKey\":\"bench-")
            body.writeString(run)
            body.writeStaticString("-")
            body.writeString(String(operation.number))
            body.writeStaticString("\",")
            writeTransfer(operation, ids)
        }
        body.writeStaticString("]}")
    }

    private mutating func writeAmount(_ request: BenchRequest) {
        body.clear()
        body.writeStaticString("{\"amount\":")
        body.writeString(String(request.amount))
        body.writeStaticString("}")
    }

    private func finish(_ request: BenchRequest, _ buffer: inout ByteBuffer) {
        buffer.writeBytes(writeHead)
        buffer.writeString(String(request.number))
        buffer.writeStaticString("\r\nContent-Length: ")
        buffer.writeString(String(body.readableBytes))
        buffer.writeStaticString("\r\n\r\n")
        buffer.writeImmutableBuffer(body)
    }

    private func read(
        _ request: BenchRequest, _ ids: WalletIDs, _ end: StaticString, _ buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("GET /v1/wallets/")
        buffer.writeBytes(ids[request.wallet])
        buffer.writeStaticString(end)
        buffer.writeBytes(readHead)
    }
}
