// SQL text, one for both databases.

/// A statement as it stands in a store: one text for PostgreSQL and SQLite, prepared once per connection.
///
/// Parameters are `$1`, `$2`, …, in any order and as often as wanted. Where the databases differ, the text says what is
/// meant in braces, and each dialect writes it its own way when the statement is prepared (string literals, quoted names and
/// comments are left alone):
///
/// | token | PostgreSQL | SQLite |
/// |---|---|---|
/// | `{BLOB}` | `BYTEA` | `BLOB` |
/// | `{column IN $1}` | `column = ANY($1)` | `column IN (SELECT value FROM json_each($1))` |
/// | `{column NOT IN $1}` | `column <> ALL($1)` | `column NOT IN (SELECT value FROM json_each($1))` |
/// | `{EACH $1 AS name}` | `unnest($1) AS name (value)` | `json_each($1) AS name` |
/// | `{GREATEST}`, `{LEAST}` | `GREATEST`, `LEAST` | `max`, `min` |
/// | `{FOR UPDATE}` | `FOR UPDATE` | nothing: a write has the database to itself |
/// | `{LIST}` as in `{LIST}(x)` | `array_agg` | `json_group_array` (read with `row.ints`, `row.texts`) |
package struct SQL: ExpressibleByStringLiteral, Hashable, Sendable {
    package let text: String
    /// False for a statement that is run once (a migration, a `VACUUM`): it is not kept prepared.
    package let isPrepared: Bool

    package init(stringLiteral text: String) {
        self.text = text
        isPrepared = true
    }

    /// A text put together at run time, from a small, fixed set of possibilities: each is kept prepared.
    /// Never put a value into the text; that is what parameters are for.
    package init(_ text: String) {
        self.text = text
        isPrepared = true
    }

    /// A statement that is run once and then forgotten.
    package init(once text: String) {
        self.text = text
        isPrepared = false
    }
}
