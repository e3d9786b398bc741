import Foundation
import Testing
import WalletCore

/// Files that hold, one line each, the bytes that the ledger writes of a sample.
enum Golden {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Golden")

    /// The stored bytes of a sample, or an explanation of what is to be done.
    static func bytes(_ name: String, written: [UInt8]) throws -> [UInt8] {
        let file = folder.appending(path: "\(name).json")
        guard FileManager.default.fileExists(atPath: file.path) else {
            // A new sample is written once, on request, and then reviewed and committed.
            if ProcessInfo.processInfo.environment["WALLET_WRITE_GOLDEN"] == "1" {
                try Data(written + [0x0A]).write(to: file)
            }
            throw MissingGoldenFile(name: name)
        }
        var bytes = Array(try Data(contentsOf: file))
        try #require(bytes.popLast() == 0x0A, "\(name).json does not end with a line feed")
        return bytes
    }

    static func advice(_ name: String, _ written: [UInt8]) -> Comment {
        """
        Golden/\(name).json is not what is written now. Logs and idempotency keys are hashed over \
        these bytes, so they may never change: take the change of the writer back, or write a new \
        version beside version 1 and give it files of its own. Written now:
        \(String(decoding: written, as: UTF8.self))
        """
    }

    static func files(in subfolder: String) throws -> Set<String> {
        let path = folder.appending(path: subfolder).path
        return Set(try FileManager.default.contentsOfDirectory(atPath: path))
    }
}

struct MissingGoldenFile: Error, CustomStringConvertible {
    var name: String

    var description: String {
        """
        Golden/\(name).json did not exist. For a new sample, run the tests once with \
        WALLET_WRITE_GOLDEN=1, read the file that this writes, and commit it.
        """
    }
}

@Suite("The bytes of version 1")
struct GoldenTests {
    @Test("of an event are those of its golden file", arguments: Sample.events)
    func events(name: String, event: Event) throws {
        let written = event.canonicalBytes
        let golden = try Golden.bytes("events/\(name)", written: written)
        #expect(written == golden, Golden.advice("events/\(name)", written))
        let decoded = try Event(canonicalBytes: golden)
        #expect(decoded == event)
        #expect(decoded.canonicalBytes == golden)
    }

    @Test("of a command are those of its golden file", arguments: Sample.instructions)
    func instructions(name: String, instruction: Instruction) throws {
        let written = instruction.canonicalBytes
        let golden = try Golden.bytes("instructions/\(name)", written: written)
        #expect(written == golden, Golden.advice("instructions/\(name)", written))
    }

    @Test("of a refusal are those of its golden file", arguments: Sample.refusals)
    func refusals(name: String, refusal: Refusal) throws {
        let written = refusal.canonicalBytes
        let golden = try Golden.bytes("refusals/\(name)", written: written)
        #expect(written == golden, Golden.advice("refusals/\(name)", written))
        #expect(Refusal(canonicalBytes: golden) == refusal)
    }

    @Test("are fixed for every type of event, every kind of command and nothing that is gone")
    func complete() throws {
        #expect(Set(Sample.events.map(\.event.change.type)) == Set(EventType.allCases))
        #expect(
            Set(Sample.instructions.map(\.instruction.command.kind))
                == Set(CommandKind.allCases).subtracting([.expire]))
        #expect(try Golden.files(in: "events") == Set(Sample.events.map { "\($0.name).json" }))
        #expect(
            try Golden.files(in: "instructions")
                == Set(Sample.instructions.map { "\($0.name).json" }))
        #expect(try Golden.files(in: "refusals") == Set(Sample.refusals.map { "\($0.name).json" }))
    }

    @Test("tell any two commands apart")
    func distinct() {
        let all = Sample.instructions.map(\.instruction.canonicalBytes)
        #expect(Set(all).count == all.count)
    }
}
