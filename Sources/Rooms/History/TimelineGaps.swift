// Gaps in timelines: what was missed and did not come soon. Server-Server API §Backfilling and retrieving missing events.

import MatrixCore
import Persistence
import Synchronization

/// Where the timelines of rooms have gaps that are open: in memory, for those who read timelines. Nearly always nowhere.
///
/// A gap is known by its floor: the position after which `width` positions were left out for what will be fetched when somebody pages
/// back to there. It is filled from its upper end downwards, so that what is still missing is directly above the floor.
package final class TimelineGaps: Sendable {
    private struct Gap {
        let floor: StreamPosition
        /// Who has not come to this position yet does not know what was found in the gap.
        var closedAt: StreamPosition?

        func isOpen(asOf position: StreamPosition) -> Bool { closedAt.map { $0 > position } ?? true }
    }

    /// Those of a room in order.
    private let rooms = Mutex<[RoomNID: [Gap]]>([:])

    /// More than rooms say in the time for which a server may be away; and the stream has place for some thousand billions of gaps.
    package static let width = 1_000_000

    package init() {}

    /// Takes over what the database has, before anything runs.
    package func restore(from database: any Database) async throws {
        for (room, floor) in try await database.read({ try MissingEventStore.gaps(on: $0) }) { open(floor, in: room) }
    }

    package func open(_ floor: StreamPosition, in room: RoomNID) {
        rooms.withLock { rooms in
            var gaps = rooms[room] ?? []
            gaps.insert(Gap(floor: floor), at: gaps.firstIndex { $0.floor > floor } ?? gaps.endIndex)
            rooms[room] = gaps
        }
    }

    /// All that was missing has come, or belongs to older gaps.
    ///
    /// - Parameter position: at which readers of the stream hear of it.
    package func close(_ floor: StreamPosition, in room: RoomNID, at position: StreamPosition) {
        rooms.withLock { rooms in
            // Those that were closed before are known to everyone by now.
            for (room, gaps) in rooms {
                let open = gaps.filter { $0.closedAt.map { $0 >= position } ?? true }
                guard open.count < gaps.count else { continue }
                rooms[room] = open.isEmpty ? nil : open
            }
            guard let index = rooms[room]?.firstIndex(where: { $0.floor == floor }) else { return }
            rooms[room]?[index].closedAt = position
        }
    }

    /// The newest open gap through which one comes on the way from `upper` down to `lower`: its floor.
    ///
    /// - Parameter position: up to which the reader knows what has happened.
    package func newest(
        in room: RoomNID, from upper: StreamPosition, downTo lower: StreamPosition, asOf position: StreamPosition
    ) -> StreamPosition? {
        rooms.withLock { rooms in
            guard !rooms.isEmpty, let gaps = rooms[room] else { return nil }
            return gaps.last { $0.floor < upper && $0.floor >= lower && $0.isOpen(asOf: position) }?.floor
        }
    }
}
