// A group of batches with their positions: what one transaction of the Journal writes.

import MatrixCore
import Persistence

/// Batches that are written in one transaction, each with its place in the stream. The Journal decides when; this decides where.
struct JournalGroup: Sendable {
    /// A batch, or places that are taken by a change without rows or by nothing (`batch` nil).
    struct Entry: Sendable {
        let batch: JournalBatch?
        let positionCount: Int
    }

    private let batches: [(batch: JournalBatch, base: Int64)]
    /// The last position that the group takes.
    let lastPosition: Int64

    init(_ entries: [Entry], after position: Int64) {
        var batches: [(batch: JournalBatch, base: Int64)] = []
        var base = position
        for entry in entries {
            if let batch = entry.batch { batches.append((batch, base)) }
            base += Int64(entry.positionCount)
        }
        self.batches = batches
        lastPosition = base
    }

    var isEmpty: Bool { batches.isEmpty }

    func write(on connection: any SQLConnection) throws {
        for (batch, base) in batches {
            try batch.alongside?(connection)
            for (offset, record) in batch.records.enumerated() {
                try record.write(on: connection, at: StreamPosition(base + Int64(offset) + 1))
            }
        }
    }

    /// Whether the transaction that wrote this group was committed: the first record that can tell speaks for all.
    func areStored(on connection: any SQLConnection) throws -> Bool {
        for (batch, base) in batches {
            for (offset, record) in batch.records.enumerated() {
                let position = StreamPosition(base + Int64(offset) + 1)
                if let answer = try record.isStored(on: connection, at: position) { return answer }
            }
        }
        return false
    }

    /// The positions of a batch that begins after `position`; for one without records, `position` itself.
    static func positions(of batch: JournalBatch, after position: Int64) -> ClosedRange<StreamPosition> {
        let end = StreamPosition(position + Int64(batch.records.count))
        return batch.records.isEmpty ? end...end : StreamPosition(position + 1)...end
    }
}
