// Where the server keeps what it must not lose: the `database` section of `homeserver.yaml`.

/// Which database to open, and with what.
package enum DatabaseConfiguration: Sendable, Equatable {
    /// The embedded default (`name: sqlite3`): one file, made when it is not there. `:memory:` is refused when opening,
    /// because a server that forgets everything is a mistake in the configuration.
    case sqlite(path: String)

    /// `name: psycopg2`. `keywords` are the `args` of the configuration: libpq's connection keywords, where psycopg2's
    /// `database` stands for `dbname`. A `dbname` may also be a whole `postgresql://` address.
    ///
    /// - `cpMin`, `cpMax`: how many connections are kept at least (once they were needed) and opened at most.
    /// - `allowUnsafeLocale`: open a database whose collation is not `C` all the same.
    case postgres(keywords: [String: String], cpMin: Int = 5, cpMax: Int = 10, allowUnsafeLocale: Bool = false)
}
