// What is handed to the Journal: records that take a stream position each, in batches that become durable as one unit.

import MatrixCore
import Persistence

/// One row (or group of rows) of history that takes exactly one stream position.
package protocol JournalRecord: Sendable {
    /// Writes the rows inside the Journal's transaction. It may be run again after a failed attempt, with another position:
    /// it has no side effects outside `connection`. Statements without a result are enqueued, so that a group is one round trip.
    func write(on connection: any SQLConnection, at position: StreamPosition) throws

    /// What readers of the commit stream are told once the rows are durable.
    func change(at position: StreamPosition) -> Change

    /// Whether the rows of this record are in the database, asked when the connection was lost during the commit.
    /// nil: this record cannot tell, because its rows look the same before and after; then `write` must be repeatable at the
    /// same position. A record that inserts rows tells.
    func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool?
}

extension JournalRecord {
    package func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? { nil }
}

/// Records that become durable together or not at all, and take consecutive positions.
package struct JournalBatch: Sendable {
    /// The records, in the order of their positions.
    package var records: [any JournalRecord]

    /// Rows without a position, written in the same transaction before the records. A thrown error fails this batch alone, and
    /// is thrown to the caller of `append`. It may be run again: no side effects outside the connection.
    package var alongside: (@Sendable (any SQLConnection) throws -> Void)?

    /// Called once when the batch is durable, before any reader of the commit stream hears of it. It must be quick and must not block.
    package var committed: (@Sendable (ClosedRange<StreamPosition>) -> Void)?

    package init(
        records: [any JournalRecord], alongside: (@Sendable (any SQLConnection) throws -> Void)? = nil,
        committed: (@Sendable (ClosedRange<StreamPosition>) -> Void)? = nil
    ) {
        self.records = records
        self.alongside = alongside
        self.committed = committed
    }
}

extension JournalBatch {
    /// Both as one unit: the rows without a position of both first, then this batch's records, then the other's.
    package func together(with other: JournalBatch) -> JournalBatch {
        let (own, others) = (self, other)
        return JournalBatch(
            records: records + other.records,
            alongside: { connection in
                try own.alongside?(connection)
                try others.alongside?(connection)
            },
            committed: { positions in
                let start = positions.lowerBound.value - (own.records.isEmpty && others.records.isEmpty ? 0 : 1)
                own.committed?(JournalGroup.positions(of: own, after: start))
                others.committed?(JournalGroup.positions(of: others, after: start + Int64(own.records.count)))
            })
    }
}
