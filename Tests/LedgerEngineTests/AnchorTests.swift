import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct AnchorTests {
    let head = Head(
        ledger: Fixture.ledger, epoch: 7, position: 42, hash: .sha256([1]),
        recordedAt: ManualClock.start)

    @Test func lineIsWhatTheDocumentsSay() {
        let line = String(decoding: Anchor(head, at: ManualClock.start).line, as: UTF8.self)
        #expect(
            line == """
                {"anchor":1,"ledger":"\(Fixture.ledger)","epoch":7,"position":42,\
                "hash":"\(Digest.sha256([1]))","at":1768473000000000}
                """)
    }

    @Test func lineIsReadBackAndInNoOtherSpelling() throws {
        for anchor in [
            Anchor(head, at: ManualClock.start),
            try Anchor(head, at: ManualClock.start).signed(by: AnchorKey()),
        ] {
            #expect(Anchor(line: anchor.line) == anchor)
            #expect(Anchor(line: anchor.line + [0x20]) == nil)
            #expect(Anchor(line: Array(anchor.line.dropLast())) == nil)
        }
        #expect(Anchor(line: []) == nil)
    }

    @Test func signatureIsOfItsKeyAndOfEveryMember() throws {
        let (key, other) = (AnchorKey(), AnchorKey())
        let anchor = try Anchor(head, at: ManualClock.start).signed(by: key)
        #expect(anchor.isAuthentic(by: key.publicKey) && anchor.isAuthentic(by: nil))
        #expect(!anchor.isAuthentic(by: other.publicKey))
        var changed: [Anchor] = Array(repeating: anchor, count: 5)
        changed[0].epoch += 1
        changed[1].position += 1
        changed[2].hash = .zero
        changed[3].at = .earliest
        changed[4].ledger = LedgerID(high: 1, low: 1)
        for anchor in changed { #expect(!anchor.isAuthentic(by: nil)) }
        var unsigned = anchor
        unsigned.signature = nil
        #expect(unsigned.isAuthentic(by: nil) && !unsigned.isAuthentic(by: key.publicKey))
    }

    @Test func keyIsReadBack() throws {
        let key = AnchorKey()
        #expect(AnchorKey(hex: key.hex)?.publicKey == key.publicKey)
        #expect(key.hex.count == 64)
        for text in ["", "00", key.hex + "00", String(repeating: "g", count: 64)] {
            #expect(AnchorKey(hex: text) == nil)
        }
    }

    /// The first test of RFC 8032 §7.1 has this key.
    @Test func publicKeyIsThatOfTheStandard() {
        let key = AnchorKey(
            hex: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        #expect(
            key?.publicKey.hex
                == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    }
}

@Suite struct VerifyAgainstAnchorsTests {
    let store = InMemoryLedgerStore(ledger: Fixture.ledger, now: { ManualClock.start })
    let heads: [Head]

    init() async throws {
        var scribe = Scribe(after: try await store.read { try $0.head() })
        var heads = [scribe.head]
        for user in ["ada", "bob"] {
            let append = try scribe.append([
                .openWallet(userID: user, currency: Fixture.currency("EUR"))
            ])
            try await store.write { try $0.append(append) }
            heads.append(scribe.head)
        }
        self.heads = heads
    }

    private func fault(_ change: (inout Anchor) -> Void) async -> Verifier.Fault? {
        var anchor = Anchor(heads[1], at: ManualClock.start)
        change(&anchor)
        let anchors = [anchor]
        return await #expect(throws: Verifier.Fault.self) {
            try await Verifier(store: store).verify(against: anchors)
        }
    }

    @Test func everyHeadThatWasPublishedIsKept() async throws {
        let anchors = heads.map { Anchor($0, at: ManualClock.start) }
        _ = try await Verifier(store: store).verify(against: anchors + anchors)
    }

    @Test func anchorOfARewrittenLogIsNamed() async {
        let fault = await fault { $0.hash = .zero }
        #expect(fault?.position == 1 && fault?.reason.contains("rewritten") == true)
    }

    @Test func anchorBeyondTheHeadIsNamed() async {
        let fault = await fault { $0.position = 3 }
        #expect(fault?.position == 3 && fault?.reason.contains("cut off") == true)
    }

    @Test func anchorOfAnotherLedgerIsNamed() async {
        let fault = await fault { $0.ledger = LedgerID(high: 1, low: 1) }
        #expect(fault?.reason.contains("another ledger") == true)
    }

    @Test func anchorOfATimelineThatWasLostIsNamed() async {
        let fault = await fault { $0.epoch += 1 }
        #expect(fault?.reason.contains("timeline") == true)
    }

    @Test func anchorFromBeforeARestoreIsKept() async throws {
        try await store.write { _ = try $0.beginEpoch() }
        let after = Anchor(try await store.read { try $0.head() }, at: ManualClock.start)
        _ = try await Verifier(store: store).verify(
            against: heads.map { Anchor($0, at: ManualClock.start) } + [after])
    }
}
