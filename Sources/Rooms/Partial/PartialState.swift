// Rooms of which this server does not have all members yet. Server-Server API §Joining Rooms (`omit_members`).

import MatrixCore
import Persistence
import Synchronization

/// What a room goes by whose members were left out when it was handed over, until they have come.
package struct PartialState: Sendable {
    /// The room's state before the join by which it came, as far as it was handed over. Events of which nobody here knows what they follow
    /// stand on it.
    let foundation: SnapshotID
    /// The servers that were in the room then, without this one. Each counts as if it had one member more than those that are known.
    package let servers: Set<ServerName>
}

extension RoomSnapshot {
    /// Whether members are missing in the state.
    package var isPartial: Bool { partial != nil }

    /// Notes that members are missing, and where they may be.
    mutating func lackMembers(_ partial: PartialState) {
        self.partial = partial
        for server in partial.servers { servers[server, default: 0] += 1 }
    }
}

/// Which rooms are or were partial: in memory, for those who look at many rooms at once. Nearly always few.
package final class PartialRooms: Sendable {
    package enum Standing: Sendable, Hashable {
        case partial
        /// Its members had come when this position was reached.
        case whole(at: StreamPosition)
    }

    private let rooms = Mutex<[RoomNID: Standing]>([:])

    package init() {}

    /// Takes over what the database has, before anything runs.
    package func restore(from database: any Database) async throws {
        for row in try await database.read({ try PartialRoomStore.all(on: $0) }) {
            set(row.wholeAt.map { .whole(at: $0) } ?? .partial, of: row.room)
        }
    }

    /// nil for a room that was whole from the beginning.
    package subscript(room: RoomNID) -> Standing? { rooms.withLock { $0[room] } }

    /// When the room became whole; nil where it is not, or always was.
    package func wholeAt(_ room: RoomNID) -> StreamPosition? {
        if case .whole(let position)? = self[room] { position } else { nil }
    }

    /// nil: the room is whole, and clients need not be told since when.
    package func set(_ standing: Standing?, of room: RoomNID) { rooms.withLock { $0[room] = standing } }
}
