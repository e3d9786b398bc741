import Foundation
import Testing
import WalletCore

@Suite("The currency registry")
struct CurrencyRegistryTests {
    @Test("is list one as published, less what has no minor unit, each code once and in order")
    func list() throws {
        let file = Golden.folder.appending(path: "iso-4217-list-one.txt")
        let published = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let listed = CurrencyRegistry.codes.flatMap { exponent, codes in
            codes.split(separator: " ").map { "\($0) \(exponent)" }
        }
        #expect(published.count == 165)
        #expect(listed.sorted() == published.map(String.init))
        for (_, codes) in CurrencyRegistry.codes {
            let codes = codes.split(separator: " ")
            #expect(codes == codes.sorted())
        }
    }

    @Test("finds what is listed and nothing else", arguments: UInt8(0x40)...0x5B)
    func everyCode(first: UInt8) {
        let listed = CurrencyRegistry.codes.flatMap { exponent, codes in
            codes.split(separator: " ").map { (String($0), exponent) }
        }
        let exponents = Dictionary(uniqueKeysWithValues: listed)
        for second in UInt8(0x40)...0x5B {
            for third in UInt8(0x40)...0x5B {
                let code = String(decoding: [first, second, third], as: UTF8.self)
                let packed = UInt32(first) << 16 | UInt32(second) << 8 | UInt32(third)
                #expect(CurrencyRegistry.exponent(packed: packed) == exponents[code], "\(code)")
            }
        }
    }

    @Test("looks at all 32 bits", arguments: [0, .max, 0x0155_5344, 0x8055_5344] as [UInt32])
    func outside(packed: UInt32) {
        #expect(CurrencyRegistry.exponent(packed: packed) == nil)
    }
}
