/// The currencies of ISO 4217 list one (published 2026-01-01) that have a minor unit.
///
/// Funds codes count, and codes without a minor unit (`XAU`, `XDR`, `XTS`, `XXX` …) do not. A code
/// that is withdrawn from the standard stays here, since logs may hold it.
package enum CurrencyRegistry {
    /// How many decimals the major unit has; `nil` where there is no such currency.
    ///
    /// - Parameter packed: three letters as ``Currency/packed`` holds them.
    package static func exponent(packed: UInt32) -> UInt8? {
        guard let index = index(of: packed) else { return nil }
        let exponent = exponents[index]
        return exponent == unknown ? nil : exponent
    }

    /// The codes by exponent, from which ``exponents`` is laid out.
    package static let codes: [(exponent: UInt8, codes: String)] = [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (
            2,
            """
            AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN \
            BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD \
            FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW \
            KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR \
            MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG \
            SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD \
            USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
            """
        ),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ]

    private static let unknown = UInt8.max

    /// The exponent of every possible code, 26 × 26 × 26: one look, since every event asks.
    private static let exponents: [UInt8] = {
        var table = [UInt8](repeating: unknown, count: 26 * 26 * 26)
        for (exponent, codes) in codes {
            for code in codes.utf8.split(separator: UInt8(ascii: " ")) {
                let packed = code.reduce(0) { $0 << 8 | UInt32($1) }
                if let index = index(of: packed) { table[index] = exponent }
            }
        }
        return table
    }()

    private static func index(of packed: UInt32) -> Int? {
        // A byte below `A` wraps round to a large number, so one comparison a letter is enough.
        let first = packed >> 16 &- 0x41
        let second = (packed >> 8 & 0xFF) &- 0x41
        let third = (packed & 0xFF) &- 0x41
        guard first < 26, second < 26, third < 26 else { return nil }
        return Int((first * 26 + second) * 26 + third)
    }
}
