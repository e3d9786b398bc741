import Foundation

/// Numbers as people read them.
enum Figure {
    /// 12,345
    static func grouped(_ number: some BinaryInteger) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    static func grouped(_ number: Double) -> String { grouped(Int64(number.rounded())) }

    /// 1.25, 20, 0.5: up to two decimals, none that say nothing.
    static func short(_ number: Double) -> String {
        let text = String(format: "%.2f", number)
        guard text.contains(".") else { return text }
        let trimmed = text.reversed().drop { $0 == "0" }
        return String((trimmed.first == "." ? trimmed.dropFirst() : trimmed).reversed())
    }

    static func latency(_ microseconds: UInt64) -> String {
        guard microseconds >= 1_000 else { return "\(microseconds) µs" }
        let number = Double(microseconds) / 1_000
        // Three digits or so: more would be noise.
        let text = number < 10 ? short(number) : number < 100 ? tenths(number) : grouped(number)
        return "\(text) ms"
    }

    /// 96.5
    static func tenths(_ number: Double) -> String {
        String(format: "%.1f", number)
    }

    static func megabytes(_ kilobytes: Int) -> String {
        "\(tenths(Double(kilobytes) / 1_024)) MB"
    }

    static func median(_ numbers: [Double]) -> Double {
        guard !numbers.isEmpty else { return 0 }
        let sorted = numbers.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
