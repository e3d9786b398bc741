package enum CurrencyRegistry { package static func exponent(packed: UInt32) -> UInt8? { 2 } }
