// The recent receipts in memory, so that an incremental sync asks no database.

import DequeModule
import MatrixCore
import Persistence

/// The receipts of the newest stretch of the stream, in order of their positions. True as long as this process writes all of them.
package struct ReceiptWindow: Sendable {
    package struct Entry: Sendable {
        package let position: StreamPosition
        package let room: RoomID
        package let key: ReceiptKey
        package let mark: ReceiptMark

        package init(position: StreamPosition, room: RoomID, key: ReceiptKey, mark: ReceiptMark) {
            self.position = position
            self.room = room
            self.key = key
            self.mark = mark
        }
    }

    private var entries: Deque<Entry> = []
    /// Every receipt after this position is among the entries.
    private var floor: StreamPosition
    private let limit: Int

    package init(startingAt position: StreamPosition, limit: Int) {
        floor = position
        self.limit = limit
    }

    /// Adds the newest receipt.
    package mutating func append(_ entry: Entry) {
        entries.append(entry)
        while entries.count > limit, let oldest = entries.popFirst() { floor = oldest.position }
    }

    /// The receipts after `after` up to `upTo`, oldest first; nil where the window does not reach back to `after`.
    package func entries(after: StreamPosition, upTo: StreamPosition) -> [Entry]? {
        guard after >= floor else { return nil }
        guard let newest = entries.last, newest.position > after else { return [] }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].position <= after { low = middle + 1 } else { high = middle }
        }
        return Array(entries[low...].prefix { $0.position <= upTo })
    }
}
