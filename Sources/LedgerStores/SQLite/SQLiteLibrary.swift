import CSQLite

/// The SQLite that this program is linked to.
package enum SQLiteLibrary {
    /// `3.40.1`
    package static var version: String {
        // Safe: a constant of the library that lives as long as the program.
        unsafe String(cString: sqlite3_libversion())
    }

    /// Whether the write-ahead log may be begun anew while another process writes to it: before
    /// 3.51.3 that could damage the file.
    package static var foldsBesideWriters: Bool { sqlite3_libversion_number() >= 3_051_003 }
}
