// The few real differences between the two databases. Most are tokens of `SQL`.

package enum SQLDialect: Sendable, Hashable {
    case postgres
    case sqlite

    /// The elements of a list parameter.
    package enum ListKind: Sendable {
        case ints
        case texts
    }

    /// The condition that `column` is in the list bound as `$parameter`. The same as the token `{column IN $1}`, for texts
    /// put together at run time.
    package func contains(_ column: String, _ parameter: Int, _ kind: ListKind = .ints) -> String {
        switch self {
        case .postgres: "\(column) = ANY($\(parameter))"
        case .sqlite: "\(column) IN (SELECT value FROM json_each($\(parameter)))"
        }
    }

    package func excludes(_ column: String, _ parameter: Int, _ kind: ListKind = .ints) -> String {
        switch self {
        case .postgres: "\(column) <> ALL($\(parameter))"
        case .sqlite: "\(column) NOT IN (SELECT value FROM json_each($\(parameter)))"
        }
    }

    package func greatest(_ a: String, _ b: String) -> String {
        self == .postgres ? "GREATEST(\(a), \(b))" : "max(\(a), \(b))"
    }

    package func least(_ a: String, _ b: String) -> String {
        self == .postgres ? "LEAST(\(a), \(b))" : "min(\(a), \(b))"
    }

    /// The name of the column type for bytes; the token `{BLOB}`.
    package var blob: String { self == .postgres ? "BYTEA" : "BLOB" }
}
