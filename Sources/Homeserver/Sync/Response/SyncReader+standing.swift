// Whether the reader was in a room at the last sync, is in it now, and was out of it in between.

import MatrixCore
import Persistence
import Rooms

/// The reader's membership of one room over the time that a response is about.
struct RoomStanding: Sendable {
    /// At the end of the response; nil where there was none yet.
    var membership: Membership?
    /// At the last sync; nil where there was none, and for an initial sync.
    var before: Membership?
    /// The newest member event, where it had to be read.
    var event: TimelineEvent?
    /// Whether the user was joined at some time after the last sync.
    var wasIn = false
    /// Whether the user was not joined at some time after the last sync.
    var wasOut = false
    /// Whether the membership is news for the client.
    var isNew = false

    /// Whether, since the last sync, the client came into a room that it does not know, or of which it has missed a part.
    var isNewlyJoined: Bool { membership == .join && isNew && (before != .join || wasOut) }
}

extension SyncReader {
    /// Follows the user's member events back from the newest one to the last sync: each says which one it replaced.
    func standing(in room: FeedRoom) async throws -> RoomStanding {
        var standing = RoomStanding(membership: room.membership)
        if let since, room.position <= since {
            standing.before = room.membership
            return standing
        }
        standing.isNew = true
        // Nothing that came before matters to an initial sync, and a room that was joined is told as it is.
        if since == nil, room.position <= upTo, room.membership == .join { return standing }

        var event = try await events.event(room.event)
        while let newer = event, newer.position > upTo { event = try await previous(newer) }
        standing.event = event
        standing.membership = event?.membership
        guard let since else { return standing }
        standing.isNew = (event?.position ?? .zero) > since
        while let newer = event, newer.position > since {
            if newer.membership == .join { standing.wasIn = true } else { standing.wasOut = true }
            event = try await previous(newer)
        }
        standing.before = event?.membership
        if standing.before == .join { standing.wasIn = true }
        return standing
    }

    private func previous(_ event: TimelineEvent) async throws -> TimelineEvent? {
        guard let nid = event.replaces else { return nil }
        return try await events.event(nid)
    }

    // MARK: Invites and knocks

    /// What a user gets to see of a room who is not in it. Client-Server API §Stripped state.
    func strippedRoom(_ room: FeedRoom, _ standing: RoomStanding) async throws -> StrippedRoom? {
        let found: TimelineEvent?
        if let event = standing.event { found = event } else { found = try await events.event(room.event) }
        guard let membership = found else { return nil }
        let state = try await events.strippedState(for: membership)
        return StrippedRoom(room: room.room, state: state.dropLast(), membership: membership)
    }
}
