import Foundation

/// Why the operating system refused.
package struct SystemError {
    private let number: Int32

    package init(_ number: Int32) {
        self.number = number
    }

    /// Of the call that has just failed.
    static var last: SystemError { SystemError(errno) }

    /// In its own words: `Permission denied`.
    package var sentence: String {
        // Safe: the text is copied at once.
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }
}
