// What can go wrong with a database, told apart by what a caller can do about it.

/// A failure of the database. Its text names the cause for the log, and never holds a parameter's value.
package struct DatabaseError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// No connection could be had in time, or it was lost before the commit was sent: nothing was stored.
        case unavailable
        /// The connection was lost after the commit was sent and before its answer came: it may be stored or not.
        case unknownOutcome
        /// A constraint refused a row. PostgreSQL gives the constraint's or index's name, SQLite the columns
        /// (`table.column, table.column`) or the name of a check.
        case constraint(name: String)
        /// The transaction collided with another one. `write` has already tried again several times.
        case serialization
        /// The disk is full.
        case full
        /// The database, its file or its server takes no writes; or a `read` tried to write.
        case readOnly
        /// A text holds U+0000.
        case invalidText
        /// A statement ran longer than the time allowed.
        case timeout
        /// The statement is wrong: a mistake of ours.
        case syntax
        /// The database cannot be used as it is: wrong encoding or collation, too old a server, too new a schema. `message`
        /// says what to do.
        case refused
        case other
    }

    package let kind: Kind
    /// The database's own words.
    package let message: String
    /// The SQLSTATE of PostgreSQL or the extended result code of SQLite; empty where there is none.
    package let code: String
    /// The statement that failed, where it was one.
    package let sql: String?

    package init(_ kind: Kind, _ message: String, code: String = "", sql: String? = nil) {
        self.kind = kind
        self.message = message
        self.code = code
        self.sql = sql
    }

    /// A row with that key is there already.
    package var isUniqueViolation: Bool { code == "23505" || code == "2067" || code == "1555" }

    package var isForeignKeyViolation: Bool { code == "23503" || code == "787" }

    package var description: String {
        var text = "\(kind): \(message)"
        if !code.isEmpty { text += " [\(code)]" }
        if let sql { text += " in: \(sql)" }
        return text
    }
}
