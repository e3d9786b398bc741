/// Who a wallet belongs to, told apart byte by byte: `==` on strings would take `é` written in two
/// ways for one person.
package struct UserID: Hashable, Sendable {
    private let bytes: [UInt8]

    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    package func owns(_ wallet: Wallet) -> Bool {
        wallet.userID.utf8.elementsEqual(bytes)
    }
}

/// What the number of wallets that users open for themselves is limited by.
package struct WalletOwner: Hashable, Sendable {
    /// How many wallets of a currency a user may have and still open one; closed ones count.
    package static let limit = 10

    package var user: UserID
    package var currency: Currency

    package init(user: UserID, currency: Currency) {
        self.user = user
        self.currency = currency
    }
}
