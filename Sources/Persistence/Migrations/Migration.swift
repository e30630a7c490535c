// One step of the schema.

/// A numbered step from one schema to the next. It runs once per database, in a transaction of its own.
///
/// A migration that was released is never changed: a mistake in it is mended by the next one.
/// Column types that mean the same on both databases: `BIGINT`, `TEXT`, `BOOLEAN`, `DOUBLE PRECISION`, `{BLOB}`.
package struct Migration: Sendable {
    package let number: Int
    package let name: String
    private let makeStatements: @Sendable (SQLDialect) -> [SQL]
    /// What SQL cannot say on both databases; runs after the statements, in their transaction.
    let fill: (@Sendable (any SQLConnection) throws -> Void)?

    /// - Parameter statements: one statement per element.
    package init(
        number: Int, name: String, statements: @escaping @Sendable (SQLDialect) -> [SQL],
        fill: (@Sendable (any SQLConnection) throws -> Void)? = nil
    ) {
        self.number = number
        self.name = name
        makeStatements = statements
        self.fill = fill
    }

    package init(number: Int, name: String, statements: [SQL]) {
        self.init(number: number, name: name) { _ in statements }
    }

    package func statements(_ dialect: SQLDialect) -> [SQL] { makeStatements(dialect) }
}
