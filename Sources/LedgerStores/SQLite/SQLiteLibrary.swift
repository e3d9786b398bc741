import CSQLite

/// The SQLite that this program is linked to.
package enum SQLiteLibrary {
    /// `3.40.1`
    package static var version: String {
        // Safe: a constant of the library that lives as long as the program.
        unsafe String(cString: sqlite3_libversion())
    }
}
