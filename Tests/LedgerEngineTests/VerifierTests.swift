import LedgerEngine
import Synchronization
import Testing
import WalletCore
import WalletTesting

@Suite struct VerifierTests {
    let ledger: SoundLedger

    init() async throws {
        ledger = try await SoundLedger()
    }

    private func fault(of store: any LedgerStore) async -> Verifier.Fault? {
        await #expect(throws: Verifier.Fault.self) { try await Verifier(store: store).verify() }
    }

    private func fault(
        _ change: (inout AlteredLedgerStore.Alteration) -> Void
    ) async -> Verifier.Fault? {
        await fault(of: AlteredLedgerStore(ledger.store, change))
    }

    // MARK: A sound ledger

    @Test func soundLedgerPassesWithItsSums() async throws {
        #expect(
            Set(ledger.events.map(\.change.type))
                == Set(EventType.allCases).subtracting([
                    .withdrawn
                ]))
        let summary = try await Verifier(store: ledger.store).verify()
        #expect(summary.head == ledger.scribe.head)
        #expect(summary.wallets == 3)
        #expect(summary.entries == 22)
        #expect(summary.external == [Fixture.currency("EUR"): -1_501])
    }

    @Test func emptyLedgerPasses() async throws {
        let store = InMemoryLedgerStore(ledger: Fixture.ledger, now: { ManualClock.start })
        let summary = try await Verifier(store: store).verify()
        #expect(summary.head.position == 0 && summary.external.isEmpty)
    }

    @Test func progressReachesTheEnd() async throws {
        let told = Mutex<[Int64]>([])
        _ = try await Verifier(store: ledger.store).verify { position, last in
            told.withLock { $0.append(position) }
            #expect(last == 18)
        }
        #expect(told.withLock { $0 } == ledger.segments.map(\.lastPosition))
    }

    @Test func erasedTextIsNoDamage() async throws {
        let store = AlteredLedgerStore(ledger.store) { $0.texts = { _ in [] } }
        _ = try await Verifier(store: store).verify()
    }

    @Test func severalTimelinesPassWhereTheLogHasThem() async throws {
        let store = ledger.forged { events in
            for index in 9..<events.count { events[index].epoch += 5 }
        }
        let newer = AlteredLedgerStore(store) { alteration in
            alteration.epochs = { $0 + [Epoch(epoch: $0[0].epoch + 5, firstPosition: 10)] }
            alteration.head = { head in
                var head = head
                head.epoch += 5
                return head
            }
        }
        _ = try await Verifier(store: newer).verify()
    }

    // MARK: The bytes of the log

    @Test func everyFlippedByteIsFoundInItsSegment() async throws {
        for segment in ledger.segments {
            // The length in front, and a sample of the rest with the last byte of a hash.
            let offsets =
                Array(0..<4) + Array(stride(from: 4, to: segment.body.count, by: 41))
                + [segment.body.count - 1]
            for offset in offsets {
                let fault = await fault { alteration in
                    alteration.segment = { found in
                        guard var found, found == segment else { return found }
                        found.body[offset] ^= 0x10
                        return found
                    }
                }
                let position = try #require(fault?.position, "byte \(offset)")
                #expect(
                    (segment.firstPosition...segment.lastPosition + 1).contains(position),
                    "byte \(offset) of the segment at \(segment.firstPosition)")
            }
        }
    }

    @Test func flippedByteOfAnEventIsNamedByItsPosition() async throws {
        // The second event of a segment, so that the first one is not to blame.
        let segment = ledger.segments[1]
        let first = try #require(try segment.record(at: 3))
        let offset = 4 + first.bytes.count + 32 + 4 + 20
        let fault = await fault { alteration in
            alteration.segment = { found in
                guard var found, found == segment else { return found }
                found.body[offset] ^= 1
                return found
            }
        }
        #expect(
            fault.isAt(4, "the hash does not follow from the bytes"))
    }

    @Test func missingSegmentIsNamedByItsFirstPosition() async {
        for missing in ledger.segments {
            let fault = await fault { $0.segment = { $0 == missing ? nil : $0 } }
            #expect(
                fault.isAt(missing.firstPosition, "the log has no such position"))
        }
    }

    @Test func swappedSegmentsAreFound() async {
        let (second, fourth) = (ledger.segments[1], ledger.segments[3])
        var swapped = second
        swapped.body = fourth.body
        let shown = swapped
        let fault = await fault { $0.segment = { $0 == second ? shown : $0 } }
        #expect(fault?.position == 3)
    }

    @Test func segmentOfTheWrongPlaceIsFound() async {
        let (second, fourth) = (ledger.segments[1], ledger.segments[3])
        let fault = await fault { $0.segment = { $0 == second ? fourth : $0 } }
        #expect(fault?.position == 3)
    }

    @Test func segmentThatIsCutShortIsFound() async {
        let segment = ledger.segments[2]
        for count in [0, 3, 4, 40, segment.body.count - 1] {
            let fault = await fault { alteration in
                alteration.segment = { found in
                    guard var found, found == segment else { return found }
                    found.body = Array(found.body.prefix(count))
                    return found
                }
            }
            #expect((5...9).contains(fault?.position ?? 0), "cut to \(count) bytes")
        }
    }

    @Test func segmentWithAnotherTimeIsFound() async {
        let segment = ledger.segments[2]
        let fault = await fault { alteration in
            alteration.segment = { found in
                guard var found, found == segment else { return found }
                found.recordedAt = found.recordedAt.advanced(byMicroseconds: 1)
                return found
            }
        }
        #expect(fault?.position == 8)
    }

    // MARK: A log that was hashed anew

    private func forgery(
        _ change: (inout [Event]) -> Void
    ) async -> Verifier.Fault? {
        await fault(of: ledger.forged(change))
    }

    @Test func untouchedLogThatIsHashedAnewIsTheSame() async throws {
        let summary = try await Verifier(store: ledger.forged { _ in }).verify()
        #expect(summary.head == ledger.scribe.head)
    }

    @Test func balanceThatDoesNotFollowIsFound() async {
        for index in ledger.events.indices {
            let total = await forgery { $0[index].balances[0].total += 1 }
            let held = await forgery { $0[index].balances[0].held += 1 }
            let version = await forgery { $0[index].balances[0].version += 1 }
            for fault in [total, held, version] {
                #expect(fault?.position == Int64(index) + 1)
            }
        }
    }

    @Test func postingsThatDoNotAddUpAreFound() async {
        let one = await forgery { $0[4].postings[0].amount += 1 }
        #expect(one.isAt(5, "the postings do not sum to zero"))
        let both = await forgery { events in
            events[4].postings[0].amount -= 1
            events[4].postings[1].amount += 1
        }
        #expect(both?.position == 5)
        let elsewhere = await forgery { events in
            events[4].postings[0].account = .wallet(WalletID(high: 1, low: 1))
        }
        #expect(elsewhere?.position == 5)
        let overflow = await forgery { events in
            events[4].postings[0].amount = .min
            events[4].postings[1].amount = .min
        }
        #expect(overflow?.position == 5)
    }

    @Test func balancesOfOtherWalletsAreFound() async {
        let missing = await forgery { $0[4].balances.removeLast() }
        let none = await forgery { $0[4].balances = [] }
        let twice = await forgery { $0[4].balances.append($0[4].balances[0]) }
        for fault in [missing, none, twice] { #expect(fault?.position == 5) }
    }

    @Test func walletOpenedTwiceIsFound() async {
        let fault = await forgery { events in
            events[1].change = events[0].change
            events[1].balances = events[0].balances
        }
        #expect(fault?.position == 2)
    }

    @Test func timeThatDoesNotIncreaseIsFound() async {
        let fault = await forgery { $0[4].recordedAt = $0[3].recordedAt }
        #expect(fault.isAt(5, "the time does not increase"))
    }

    @Test func epochThatTheLedgerDoesNotKnowIsFound() async {
        for change: Int64 in [-1, 1] {
            let fault = await forgery { $0[6].epoch += change }
            #expect(fault?.position == 7)
            #expect(fault?.reason.contains("epoch") == true)
        }
    }

    @Test func positionThatIsNotItsPlaceIsFound() async {
        let fault = await forgery { $0[6].position = 8 }
        #expect(fault?.position == 7)
    }

    @Test func holdThatIsNotOpenIsFound() async {
        let fault = await forgery { events in
            guard case .holdCaptured(_, let captured, _, _) = events[8].change,
                case .holdReleased(_, let wallet, let amount, let currency) = events[9].change
            else { return }
            events[9].change = .holdReleased(
                hold: captured, wallet: wallet, amount: amount, currency: currency)
        }
        #expect(fault?.position == 10)
        #expect(fault?.reason.contains("is not open") == true)
    }

    @Test func reversedTotalThatDoesNotFollowIsFound() async {
        let fault = await forgery { events in
            guard case .reversed(let movement, let original, let total) = events[13].change else {
                return
            }
            events[13].change = .reversed(movement, reverses: original, reversedTotal: total + 1)
        }
        #expect(
            fault.isAt(14, "the reversed total does not follow"))
    }

    @Test func bytesThatAreNoEventAreFound() async {
        for damage in [Array("{}".utf8), [], Array(" ".utf8)] {
            var bytes = ledger.events.map(\.canonicalBytes)
            bytes[4] = damage
            #expect(await fault(of: ledger.forged(bytes: bytes))?.position == 5)
        }
        var bytes = ledger.events.map(\.canonicalBytes)
        bytes[4].append(UInt8(ascii: " "))
        #expect(await fault(of: ledger.forged(bytes: bytes))?.position == 5)
    }

    @Test func userWhoWasExchangedIsFoundInTheWallets() async {
        let fault = await forgery { events in
            guard case .walletOpened(let wallet, _, let currency) = events[0].change else { return }
            events[0].change = .walletOpened(wallet: wallet, userID: "eve", currency: currency)
        }
        #expect(fault?.reason.contains("\(ledger.scribe.wallets[0])") == true)
    }

    @Test func keyAndTextThatWereExchangedAreNamedByTheirPosition() async {
        let key = await forgery { $0[4].cause.idempotency?.key = .zero }
        #expect(key?.position == 5)
        let text = await forgery { $0[1].text = .zero }
        #expect(text?.position == 2)
        let without = await forgery { $0[1].text = nil }
        #expect(without?.position == 2)
    }

    @Test func truncatedLogIsFound() async {
        let end = ledger.segments[4]
        let last = ledger.events[Int(end.lastPosition) - 1]
        let hash = try? end.record(at: end.lastPosition)?.hash
        let fault = await fault { alteration in
            alteration.segment = { found in
                found.flatMap { $0.firstPosition > end.lastPosition ? nil : $0 }
            }
            alteration.head = { head in
                var head = head
                head.position = last.position
                head.recordedAt = last.recordedAt
                head.hash = hash ?? .zero
                return head
            }
        }
        #expect(fault != nil && hash != nil)
    }
}
