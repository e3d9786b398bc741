import Testing
import WalletCore

@Suite("Money")
struct MoneyTests {
    @Test("is from 1 to 2^53 − 1 minor units")
    func amounts() {
        #expect(Amount(1)?.minorUnits == 1)
        #expect(Amount((1 << 53) - 1)?.minorUnits == 9_007_199_254_740_991)
        for outside in [0, -1, 1 << 53, .min, .max] as [Int64] {
            #expect(Amount(outside) == nil)
        }
    }

    @Test(
        "is in a currency of ISO 4217, with its exponent",
        arguments: [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("BHD", 3), ("CLF", 4)]
            as [(String, UInt8)])
    func currencies(code: String, exponent: UInt8) {
        #expect(Currency(code)?.exponent == exponent)
        #expect(Currency(code)?.code == code)
    }

    @Test(
        "is in no other currency",
        arguments: ["", "US", "USDD", "usd", "Usd", "ABC", "XXX", "XTS", "XAU", "ＵＳＤ", "US\0"])
    func unknown(code: String) {
        #expect(Currency(code) == nil)
    }
}
