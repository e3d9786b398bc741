import Foundation
import Logging

/// How many files the process may have open; connections are files.
enum OpenFiles {
    /// What is needed beside connections: the ledger, its readers, the listener, event loops.
    private static let spare = 100

    /// Raises the limit as far as the process may, and says so where that is not far enough.
    static func raiseLimit(for connections: Int, logger: Logger) {
        // Safe: both calls use the structure only until they return.
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if unsafe setrlimit(resource, &raised) == 0 { limit = raised }
        }
        let needed = connections + spare
        guard limit.rlim_cur < needed else { return }
        logger.warning(
            "fewer files may be open than connections are allowed; raise the limit (ulimit -n)",
            metadata: ["limit": "\(limit.rlim_cur)", "needed": "\(needed)"])
    }

    #if os(Linux)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let resource = RLIMIT_NOFILE
    #endif
}
