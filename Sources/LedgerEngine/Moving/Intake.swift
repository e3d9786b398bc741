import WalletCore

/// Reads the lines of an export, checks each against those before it, and packs them into
/// transactions.
struct Intake {
    let header: ExportHeader
    private var log: LogAudit
    private var line: Int64 = 1
    private var section = Section.events
    private var counts: ExportTrailer
    private var sha256 = RunningDigest()
    private var lastText: Int64 = 0

    /// The parts of an export, in their order.
    private enum Section: Int {
        case events, texts, refusals, apiKeys, end
    }

    /// Reads the header.
    init(_ nextLine: () throws -> [UInt8]?) throws {
        guard let bytes = try nextLine(), case .header(let header)? = ExportLine(bytes) else {
            throw Importer.Fault(line: 1, reason: "it is not an export of a ledger, version 1")
        }
        if let fault = header.fault { throw Importer.Fault(line: 1, reason: fault) }
        self.header = header
        log = LogAudit(ledger: header.ledger, epochs: header.epochs)
        counts = ExportTrailer(position: 0, hash: .zero, sha256: .zero)
        sha256.update(bytes + [UInt8(ascii: "\n")])
    }

    /// The lines for the next transaction; `nil` when the export has ended as it should.
    mutating func nextLoad(_ nextLine: () throws -> [UInt8]?) throws -> Load? {
        guard section != .end else { return nil }
        var load = Load(firstLine: line + 1, head: header.start)
        var events: [Event] = []
        var body: [UInt8] = []
        var size = 0
        while section != .end, load.lineCount < Importer.transactionLines,
            size < Importer.transactionBytes
        {
            let bytes = try read(nextLine)
            size += bytes.count
            load.lineCount += 1
            switch ExportLine(bytes) {
            case .event(let record):
                try enter(.events)
                events.append(try check(record))
                Segment.appendFrame(record.bytes, hash: record.hash, to: &body)
                counts.events += 1
                if events.count == Importer.segmentEvents { load.close(&events, &body, of: &log) }
            case .text(let record):
                try enter(.texts)
                guard record.position > lastText else { throw fault("texts are out of order") }
                lastText = record.position
                counts.texts += 1
                load.texts.append((line, record))
            case .refusal(let record):
                try enter(.refusals)
                counts.refusals += 1
                load.refusals.append(record)
            case .apiKey(let key):
                try enter(.apiKeys)
                guard key.canBeGiven else { throw fault("no such API key can be made") }
                counts.apiKeys += 1
                load.apiKeys.append(key)
            case .trailer(let trailer):
                try enter(.end)
                try finish(trailer, nextLine)
            case .header, nil:
                throw fault("it is not a line of an export")
            }
            sha256.update(bytes + [UInt8(ascii: "\n")])
        }
        load.close(&events, &body, of: &log)
        load.reversals = log.takeReversals()
        load.head = log.head ?? header.start
        return load
    }

    private mutating func read(_ nextLine: () throws -> [UInt8]?) throws -> [UInt8] {
        line += 1
        guard let bytes = try nextLine() else {
            throw fault("the export ends before its last line")
        }
        return bytes
    }

    private func fault(_ reason: String) -> Importer.Fault {
        Importer.Fault(line: line, reason: reason)
    }

    private mutating func enter(_ next: Section) throws {
        guard next.rawValue >= section.rawValue else { throw fault("the lines are out of order") }
        section = next
    }

    private mutating func check(_ record: LogRecord) throws -> Event {
        do throws(LogFault) {
            return try log.check(record)
        } catch {
            throw fault("position \(error.position): \(error.reason)")
        }
    }

    /// Holds what came against what the first line and the last say.
    private mutating func finish(
        _ trailer: ExportTrailer, _ nextLine: () throws -> [UInt8]?
    ) throws {
        guard log.hasReached(header.head) else {
            throw fault("the events do not lead to the head that the first line names")
        }
        do throws(LogFault) {
            try log.checkSums()
        } catch {
            throw fault(error.reason)
        }
        counts.position = log.position
        counts.hash = log.hash
        counts.sha256 = sha256.digest
        guard trailer == counts else {
            throw fault("lines are missing, too many or changed: the last line does not fit them")
        }
        guard try nextLine() == nil else {
            line += 1
            throw fault("something follows the last line")
        }
    }
}

extension ExportHeader {
    /// The head before the first event.
    var start: Head {
        Head(
            ledger: ledger, epoch: epochs.first?.epoch ?? head.epoch, position: 0,
            hash: .genesis(of: ledger), recordedAt: head.recordedAt)
    }

    /// Why the header cannot be one of a whole ledger; `nil` where it can.
    fileprivate var fault: String? {
        if afterPosition != 0 {
            return "it begins after position \(afterPosition); only a whole ledger can be imported"
        }
        let isOrdered = zip(epochs, epochs.dropFirst()).allSatisfy {
            $0.epoch < $1.epoch && $0.firstPosition <= $1.firstPosition
        }
        guard isOrdered, epochs.first?.firstPosition == 1, epochs.last?.epoch == head.epoch,
            (0..<Int64.max).contains(head.position), (0..<Int64.max).contains(head.epoch),
            epochs.allSatisfy({ $0.firstPosition <= head.position + 1 }),
            afterHash == .genesis(of: ledger)
        else { return "the timelines, the ledger and the head do not go together" }
        return nil
    }
}

/// What one transaction of an import writes.
struct Load: Sendable {
    let firstLine: Int64
    var lineCount = 0
    /// The head afterwards.
    var head: Head
    private var segments: [Append] = []
    /// To be held against what they reverse when all of the log before them is in the tables.
    var reversals: [Event] = []
    var texts: [(line: Int64, record: TextRecord)] = []
    var refusals: [RefusalRecord] = []
    var apiKeys: [APIKey] = []

    init(firstLine: Int64, head: Head) {
        self.firstLine = firstLine
        self.head = head
    }

    /// Makes one row of the log, and all that follows from it, of the events gathered so far.
    mutating func close(_ events: inout [Event], _ body: inout [UInt8], of log: inout LogAudit) {
        guard let first = events.first, let head = log.head else { return }
        var append = Append(head: head)
        append.segment = Segment(
            firstPosition: first.position, lastPosition: head.position,
            recordedAt: head.recordedAt, body: body)
        append.take(events, of: &log)
        segments.append(append)
        events.removeAll(keepingCapacity: true)
        body.removeAll(keepingCapacity: true)
        log.forgetSettled()
    }

    func write(to transaction: any LedgerTransaction) throws {
        do {
            for append in segments { try transaction.append(append) }
            try proveReversals(in: transaction)
            var beside = Append(head: head)
            beside.texts = try checkedTexts(in: transaction)
            beside.refusals = refusals
            try transaction.append(beside)
            for key in apiKeys { try transaction.insert(key) }
        } catch StoreError.rejected {
            throw try repetition(in: transaction)
        }
    }

    private func proveReversals(in snapshot: any LedgerSnapshot) throws {
        do {
            try LogAudit.prove(reversals, in: snapshot)
        } catch let fault as LogFault {
            throw Importer.Fault(
                line: line(of: fault.position),
                reason: "position \(fault.position): \(fault.reason)")
        }
    }

    /// The line of an event of this load.
    private func line(of position: Int64) -> Int64 {
        firstLine + position - (segments.first?.segment?.firstPosition ?? position)
    }

    /// What the database refused: a key or a reference that is used a second time.
    private func repetition(in snapshot: any LedgerSnapshot) throws -> Importer.Fault {
        for append in segments {
            for record in append.keys {
                guard try snapshot.keys([record.key]).contains(where: { $0 != record }) else {
                    continue
                }
                return Importer.Fault(
                    line: line(of: record.position),
                    reason: "its idempotency key was used before")
            }
            for record in append.references {
                guard try snapshot.references([record.key]).contains(where: { $0 != record })
                else { continue }
                return Importer.Fault(
                    line: line(of: record.use.position),
                    reason: "its reference was used before")
            }
        }
        return Importer.Fault(
            line: firstLine,
            reason: "this line or one of the \(lineCount - 1) after it repeats an earlier one")
    }

    /// The texts, each of which must be the one that its event commits to.
    private func checkedTexts(in snapshot: any LedgerSnapshot) throws -> [TextRecord] {
        let events = try snapshot.events(at: texts.map(\.record.position))
        for (line, record) in texts {
            guard events[record.position]?.text == record.text.commitment else {
                throw Importer.Fault(
                    line: line,
                    reason: "the text is not the one that position \(record.position) commits to")
            }
        }
        return texts.map(\.record)
    }
}
