import Foundation

/// What a process has used so far, as `/proc` tells.
struct ProcessUsage {
    /// User and system time of all its threads, to the clock tick (10 ms).
    var cpuMicroseconds: Double
    var residentKilobytes: Int
    var peakKilobytes: Int

    /// Nothing where there is no such process, or no `/proc`.
    init?(process: Int32) {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return nil }
        // The name may hold anything, so fields are counted from its end: state is the first.
        let fields = stat[stat.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else { return nil }
        cpuMicroseconds = (user + system) * 1e6 / Double(sysconf(Int32(_SC_CLK_TCK)))
        residentKilobytes = Self.kilobytes("VmRSS:", in: status)
        peakKilobytes = Self.kilobytes("VmHWM:", in: status)
    }

    private static func kilobytes(_ name: String, in status: String) -> Int {
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            return Int(line.split(whereSeparator: \.isWhitespace).dropFirst().first ?? "") ?? 0
        }
        return 0
    }
}
