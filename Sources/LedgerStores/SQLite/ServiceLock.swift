import Foundation
package import LedgerEngine

/// Held by the one process that serves a ledger, as long as it lives: the operating system takes it
/// back, however the process ends.
///
/// It is a lock on a file beside the ledger's, which stays there. Commands that may run beside a
/// service do without it.
package final class ServiceLock: Sendable {
    /// How often one that is taken is tried again: whoever has it may be about to end.
    private static let attempts = 20
    private static let pauseMicroseconds: UInt32 = 50_000

    private let file: Int32

    /// Takes the lock of the ledger at the path; `nil` where another process has it.
    ///
    /// - Parameter isPatient: whether to wait for a second if it is taken.
    package init?(besides path: String, isPatient: Bool) throws(StoreError) {
        // By whatever name the ledger goes, its lock is one.
        let place = URL(fileURLWithPath: path).resolvingSymlinksInPath().path + "-lock"
        // Safe: the path's bytes are needed during the call only.
        file = unsafe open(place, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw .unavailable(
                reason: "its lock, \"-lock\", cannot be taken (\(SystemError.last.sentence))")
        }
        for _ in 1..<(isPatient ? ServiceLock.attempts : 1) {
            if flock(file, LOCK_EX | LOCK_NB) == 0 { return }
            usleep(ServiceLock.pauseMicroseconds)
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else { return nil }
    }

    deinit {
        if file >= 0 { close(file) }
    }
}
