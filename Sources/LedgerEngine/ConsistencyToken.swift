import WalletCore

/// A place in the log that a reader wants to be past.
package struct ConsistencyToken: Hashable, Sendable {
    /// How many ``bytes`` there are.
    package static let size = 20

    package var epoch: Int64
    package var position: Int64

    package init(epoch: Int64, position: Int64) {
        self.epoch = epoch
        self.position = position
    }

    package init(_ head: Head) {
        self.init(epoch: head.epoch, position: head.position)
    }

    /// 16 bytes and four of a checksum, which tells a damaged token from a foreign one.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt64(bitPattern: epoch))
        bytes.appendBigEndian(UInt64(bitPattern: position))
        return bytes + Digest.sha256(bytes).bytes.prefix(4)
    }

    /// Reads what ``bytes`` wrote.
    package init?(bytes: [UInt8]) {
        guard bytes.count == ConsistencyToken.size else { return nil }
        self.init(
            epoch: Int64(bitPattern: bytes.bigEndian(at: 0)),
            position: Int64(bitPattern: bytes.bigEndian(at: 8)))
        guard self.bytes == bytes, position >= 0 else { return nil }
    }

    /// Whether it names a place of the log with these timelines and this head.
    func isKnown(to head: Head, epochs: [Epoch]) -> Bool {
        guard position <= head.position,
            let index = epochs.firstIndex(where: { $0.epoch == epoch })
        else { return false }
        let end = index + 1 < epochs.count ? epochs[index + 1].firstPosition - 1 : head.position
        return position >= epochs[index].firstPosition - 1 && position <= end
    }
}
