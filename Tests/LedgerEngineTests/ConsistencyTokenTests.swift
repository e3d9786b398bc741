import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct ConsistencyTokenTests {
    private let token = ConsistencyToken(epoch: 1_768_473_000_000_000, position: 42)

    @Test func bytesAreFixed() {
        // The checksum is the start of the SHA-256 that `sha256sum` gives for the first 16 bytes.
        let hex = "0006486ab4f5ba00000000000000002a64c2c43c"
        var text: [UInt8] = []
        for byte in token.bytes { text.appendHex(UInt64(byte), digits: 2) }
        #expect(String(decoding: text, as: UTF8.self) == hex)
    }

    @Test func bytesAreReadBack() {
        let epochs: [Int64] = [.min, -1, 0, 1, .max]
        for epoch in epochs {
            for position: Int64 in [0, 1, 1 << 47, .max] {
                let token = ConsistencyToken(epoch: epoch, position: position)
                #expect(ConsistencyToken(bytes: token.bytes) == token)
            }
        }
    }

    @Test func everyFlippedBitIsRefused() {
        for index in token.bytes.indices {
            for bit in 0..<8 {
                var bytes = token.bytes
                bytes[index] ^= 1 << bit
                #expect(ConsistencyToken(bytes: bytes) == nil)
            }
        }
    }

    @Test func otherLengthsAndNegativePositionsAreRefused() {
        #expect(ConsistencyToken(bytes: []) == nil)
        #expect(ConsistencyToken(bytes: Array(token.bytes.dropLast())) == nil)
        #expect(ConsistencyToken(bytes: token.bytes + [0]) == nil)
        let negative = ConsistencyToken(epoch: 1, position: -1)
        #expect(ConsistencyToken(bytes: negative.bytes) == nil)
    }
}
