// What of a room one user may read: the room as it is, as it was when the user left, or as the world sees it.
// Client-Server API §Room History Visibility.

import MatrixCore
import Persistence

/// A room as one user may read it.
package struct RoomView: Sendable {
    package let viewer: UserID
    package let snapshot: RoomSnapshot
    package let standing: Standing

    /// On what grounds the user reads.
    package enum Standing: Sendable {
        /// The user is joined.
        case member
        /// The user was in the room until `departure`, and sees it as it was then.
        case departed(departure: TimelineEvent)
        /// The user is no member of a room that all the world may read.
        case visitor
    }

    /// The last position whose event the user may see.
    package var end: StreamPosition {
        switch standing {
        case .member, .visitor: snapshot.position
        case .departed(let departure): departure.position
        }
    }

    /// Whether the user is joined or was at the end.
    var hasBeenMember: Bool {
        switch standing {
        case .member: true
        case .departed(let departure): departure.previousMembership == .join
        case .visitor: false
        }
    }
}

extension RoomHistory {
    /// - Throws: `M_FORBIDDEN` for a user who may not read the room, and for a room that this server does not know: which of the
    ///   two it is, is nobody's business.
    package func view(of roomID: RoomID, for viewer: UserID) async throws -> RoomView {
        guard let room = try await rooms.room(roomID) else { throw RoomHistory.notAMember(viewer, roomID) }
        let snapshot = await room.snapshot()
        let entry = snapshot.entry(.member(viewer))
        switch entry?.membership {
        case .join:
            return RoomView(viewer: viewer, snapshot: snapshot, standing: .member)
        case .leave, .ban:
            guard let nid = entry?.nid, let departure = try await events.events([nid]).first,
                departure.previousMembership != nil
            else { break }
            return RoomView(viewer: viewer, snapshot: snapshot, standing: .departed(departure: departure))
        case .invite, .knock, nil:
            break
        }
        guard snapshot.historyVisibility == .worldReadable else { throw RoomHistory.notAMember(viewer, roomID) }
        return RoomView(viewer: viewer, snapshot: snapshot, standing: .visitor)
    }

    private static func notAMember(_ user: UserID, _ room: RoomID) -> MatrixError {
        .forbidden("User \(user) not in room \(room), and room previews are disabled")
    }
}
