// What of a room one user may read: the room as it is, as it was when the user left, or as the world sees it.
// Client-Server API §Room History Visibility.

import MatrixCore
import Persistence

/// A room as one user may read it.
package struct RoomView: Sendable {
    package let viewer: UserID
    package let snapshot: RoomSnapshot
    package let standing: Standing
    /// The users whose messages the viewer does not want to see. Client-Server API §Ignoring Users.
    package let ignored: Set<UserID>
    /// Messages from before this time have outlived what the room or the operator allows.
    package let horizon: Timestamp?
    /// The last position whose event the user may see.
    package let end: StreamPosition

    /// - Parameter looksOn: who has left may read on, as all the world may.
    package init(
        viewer: UserID, snapshot: RoomSnapshot, standing: Standing, ignored: Set<UserID> = [], horizon: Timestamp? = nil,
        looksOn: Bool = false
    ) {
        self.viewer = viewer
        self.snapshot = snapshot
        self.standing = standing
        self.ignored = ignored
        self.horizon = horizon
        end =
            switch standing {
            case .departed(let departure) where !looksOn: departure.position
            case .departed, .member, .visitor: snapshot.position
            }
    }

    /// On what grounds the user reads.
    package enum Standing: Sendable {
        /// The user is joined.
        case member
        /// The user was in the room until `departure`, and sees its state as it was then.
        case departed(departure: TimelineEvent)
        /// The user is no member of a room that all the world may read.
        case visitor
    }

    /// When the user left; nil for who is in the room, or never was.
    package var departure: StreamPosition? {
        if case .departed(let departure) = standing { departure.position } else { nil }
    }

    /// Whether the user sees the room as it was.
    package var isOfPast: Bool {
        if case .departed = standing { true } else { false }
    }

    /// Whether the user was joined at the end of a stay that reaches beyond this position.
    func wasMember(after position: StreamPosition) -> Bool {
        switch standing {
        case .member: true
        case .departed(let departure): position <= departure.position
        case .visitor: false
        }
    }
}

extension RoomHistory {
    /// How many of a user's member events are looked at to find out when the user left.
    private static let departureLimit = 100

    /// - Throws: `M_FORBIDDEN` for a user who may not read the room or has forgotten it, and for a room that this server does not
    ///   know: which of them it is, is nobody's business.
    package func view(of roomID: RoomID, for viewer: UserID, ignoring ignored: Set<UserID> = []) async throws -> RoomView {
        guard let room = try await rooms.room(roomID) else { throw RoomHistory.notAMember(viewer, roomID) }
        let snapshot = await room.snapshot()
        return RoomView(
            viewer: viewer, snapshot: snapshot, standing: try await standing(of: viewer, in: room, snapshot), ignored: ignored,
            horizon: try await retention.horizon(of: snapshot, in: events),
            looksOn: snapshot.historyVisibility == .worldReadable)
    }

    /// The same room with all its members: where they are not known yet, one waits.
    ///
    /// - Throws: what `Room.waitUntilWhole` throws.
    package func complete(_ view: RoomView) async throws -> RoomView {
        guard view.snapshot.isPartial, !view.isOfPast, let room = try await rooms.room(view.snapshot.roomID) else { return view }
        try await room.waitUntilWhole()
        return try await self.view(of: room.id, for: view.viewer, ignoring: view.ignored)
    }

    private func standing(of viewer: UserID, in room: Room, _ snapshot: RoomSnapshot) async throws -> RoomView.Standing {
        let entry = snapshot.entry(.member(viewer))
        switch entry?.membership {
        case .join:
            return .member
        case .leave:
            guard let nid = entry?.nid, let departure = try await departure(from: nid), try await !isForgotten(room, by: viewer)
            else { break }
            return .departed(departure: departure)
        // Who is banned was told by sync what they had seen; as with Synapse they are shown nothing any more when they ask.
        case .ban, .invite, .knock, nil:
            break
        }
        guard snapshot.historyVisibility == .worldReadable else { throw RoomHistory.notAMember(viewer, room.id) }
        return .visitor
    }

    /// The event by which the user was last joined no more: what happened to them since tells them nothing of the room.
    private func departure(from newest: EventNID) async throws -> TimelineEvent? {
        var nid: EventNID? = newest
        for _ in 0..<RoomHistory.departureLimit {
            guard let number = nid, let event = try await events.event(number) else { return nil }
            if event.previousMembership == .join { return event }
            nid = event.replaces
        }
        return nil
    }

    private func isForgotten(_ room: Room, by user: UserID) async throws -> Bool {
        let nid = room.nid
        return try await events.database.read { try MembershipStore.isForgotten(user, nid, on: $0) }
    }

    static func notAMember(_ user: UserID, _ room: RoomID) -> MatrixError {
        .forbidden("User \(user) not in room \(room), and room previews are disabled")
    }
}
