import WalletCore

/// Writes a ledger as lines of JSON, from which another database can be filled.
package struct Exporter: Sendable {
    /// Rows of what lies beside the log that are read at once.
    private static let pageSize = 500
    /// Bytes that are gathered before they are written.
    private static let bufferSize = 1 << 16

    /// Why a ledger cannot be exported.
    package enum Fault: Error, Hashable {
        /// The log has no such position.
        case unknownPosition(Int64)
    }

    private let store: any LedgerStore

    package init(store: any LedgerStore) {
        self.store = store
    }

    /// Exports one snapshot; writers go on meanwhile. Memory does not depend on the ledger's size.
    ///
    /// - Parameters:
    ///   - position: the first event to export. Only an export from position 1 can be imported.
    ///   - progress: is told the position that was reached and the last, now and then.
    ///   - write: takes the bytes, in order.
    /// - Returns: the head of the snapshot.
    package func export(
        from position: Int64 = 1,
        progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in },
        write: @escaping @Sendable ([UInt8]) throws -> Void
    ) async throws -> Head {
        try await store.read { snapshot in
            let head = try snapshot.head()
            guard position >= 1, position - 1 <= head.position else {
                throw Fault.unknownPosition(position)
            }
            var output = Output(write: write)
            let before = try snapshot.records(at: [position - 1])[position - 1]
            try output.write(
                .header(
                    ExportHeader(
                        ledger: head.ledger, epochs: try snapshot.epochs(), head: head,
                        afterPosition: position - 1,
                        afterHash: before?.hash ?? .genesis(of: head.ledger))))
            var trailer = ExportTrailer(position: head.position, hash: head.hash, sha256: .zero)
            var next = position
            while next <= head.position {
                guard let segment = try snapshot.segment(containing: next) else {
                    throw LogFault(position: next, reason: "the log has no such position")
                }
                for record in try segment.records() where record.position >= next {
                    try output.write(.event(record))
                    trailer.events += 1
                }
                next = segment.lastPosition + 1
                progress(segment.lastPosition, head.position)
            }
            try Exporter.writeTexts(from: position, of: snapshot, to: &output, &trailer)
            try Exporter.writeRefusals(of: snapshot, to: &output, &trailer)
            for key in try snapshot.apiKeys() {
                try output.write(.apiKey(key))
                trailer.apiKeys += 1
            }
            trailer.sha256 = output.sha256.digest
            try output.write(.trailer(trailer))
            try output.flush()
            return head
        }
    }

    private static func writeTexts(
        from position: Int64, of snapshot: any LedgerSnapshot, to output: inout Output,
        _ trailer: inout ExportTrailer
    ) throws {
        var last = position - 1
        while true {
            let page = try snapshot.texts(after: last, limit: pageSize)
            for record in page { try output.write(.text(record)) }
            trailer.texts += Int64(page.count)
            guard let end = page.last else { return }
            last = end.position
        }
    }

    private static func writeRefusals(
        of snapshot: any LedgerSnapshot, to output: inout Output, _ trailer: inout ExportTrailer
    ) throws {
        var last: Digest?
        while true {
            let page = try snapshot.refusals(after: last, limit: pageSize)
            for record in page { try output.write(.refusal(record)) }
            trailer.refusals += Int64(page.count)
            guard let end = page.last else { return }
            last = end.key
        }
    }

    /// Lines on their way out.
    private struct Output {
        let write: @Sendable ([UInt8]) throws -> Void
        var buffer: [UInt8] = []
        var sha256 = RunningDigest()

        mutating func write(_ line: ExportLine) throws {
            let bytes = line.bytes
            sha256.update(bytes)
            buffer.append(contentsOf: bytes)
            if buffer.count >= Exporter.bufferSize { try flush() }
        }

        mutating func flush() throws {
            try write(buffer)
            buffer.removeAll(keepingCapacity: true)
        }
    }
}
