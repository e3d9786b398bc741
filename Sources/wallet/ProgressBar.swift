import Foundation
import Synchronization

/// A line on standard error that says how far the work is; silent where nobody watches.
final class ProgressBar: Sendable {
    private let isShown = isatty(STDERR_FILENO) == 1
    private let lastPercent = Mutex<Int64>(-1)

    func show(_ done: Int64, of all: Int64) {
        guard isShown, all > 0 else { return }
        let percent = done * 100 / all
        let isNew = lastPercent.withLock { last in
            defer { last = percent }
            return last != percent
        }
        guard isNew else { return }
        let filled = Int(percent) * 30 / 100
        let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 30 - filled)
        FileHandle.standardError.write(Data("\r\(bar) \(percent) %  \(done) of \(all)".utf8))
    }

    /// Ends the line, if there is one.
    func finish() {
        guard
            lastPercent.withLock({ last in
                defer { last = -1 }
                return last >= 0
            })
        else { return }
        FileHandle.standardError.write(Data("\n".utf8))
    }
}
