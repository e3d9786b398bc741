import ArgumentParser
import WalletClient
import WalletCore

/// Amounts as people write them, with the exponents of the service's own registry.
enum MajorUnits {
    /// Refuses what is no amount in any currency, before anything is asked.
    static func check(_ text: String) throws {
        guard (try? Money(majorUnits: text, currency: "", exponent: 4)) == nil else { return }
        do {
            _ = try Money(majorUnits: text, currency: "", exponent: 4)
        } catch .malformed {
            throw ValidationError("\(text.debugDescription) is not an amount such as 10.50.")
        } catch .tooManyDecimals, .outOfRange {
            // The currency decides.
        }
    }

    /// Reads an amount of a currency; nothing is rounded.
    static func money(_ text: String, _ code: String) throws -> Money {
        guard let currency = Currency(code) else {
            throw ValidationError("\(code.debugDescription) is not an ISO 4217 code.")
        }
        let money: Money
        do {
            money = try Money(majorUnits: text, currency: code, exponent: currency.exponent)
        } catch .malformed {
            throw ValidationError("\(text.debugDescription) is not an amount such as 10.50.")
        } catch .tooManyDecimals(let allowed) {
            let decimals = allowed == 0 ? "no decimals" : "at most \(allowed) decimals"
            throw ValidationError("\(code) has \(decimals); \(text) would have to be rounded.")
        } catch .outOfRange {
            throw ValidationError("\(text) is more than a wallet can hold.")
        }
        guard Amount(money.minorUnits) != nil else {
            let largest = Money(minorUnits: Amount.maximum, currency: code)
            throw ValidationError(
                "An amount must be above 0 and at most "
                    + "\(largest.majorUnits(exponent: currency.exponent)) \(code).")
        }
        return money
    }

    /// Writes an amount with all decimals of its currency. A currency that this program does not
    /// know has no major unit to speak of.
    static func text(_ minorUnits: Int64, _ code: String) -> String {
        guard let currency = Currency(code) else { return "\(minorUnits) minor units" }
        return Money(minorUnits: minorUnits, currency: code)
            .majorUnits(exponent: currency.exponent)
    }
}
