// The prepared statements of one connection.

/// Keeps what was prepared under its text, up to a bound; the one that was not used for the longest time goes first.
package struct StatementCache<Statement> {
    private struct Entry {
        var statement: Statement
        var lastUse: UInt64
    }

    private var entries: [String: Entry] = [:]
    private var uses: UInt64 = 0
    package let capacity: Int

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package var count: Int { entries.count }

    /// Looks up, and counts as a use.
    package subscript(text: String) -> Statement? {
        mutating get {
            uses += 1
            guard let index = entries.index(forKey: text) else { return nil }
            entries.values[index].lastUse = uses
            return entries.values[index].statement
        }
    }

    /// Adds a statement.
    /// - Returns: the statement that has to be let go for it, or that had the same text.
    package mutating func insert(_ statement: Statement, for text: String) -> Statement? {
        uses += 1
        if let before = entries.updateValue(Entry(statement: statement, lastUse: uses), forKey: text) { return before.statement }
        guard entries.count > capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return nil }
        entries[oldest.key] = nil
        return oldest.value.statement
    }

    package mutating func remove(_ text: String) { entries[text] = nil }
    package mutating func removeAll() { entries.removeAll() }
}
