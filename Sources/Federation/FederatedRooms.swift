// Rooms that this server shares with others, put together.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Everything by which rooms go beyond this server.
package struct FederatedRooms: Sendable {
    /// What others read.
    package let served: ServedRooms
    package let verifier: EventVerifier
    package let intake: EventIntake
    /// This server's users in rooms of others.
    package let membership: RemoteMembership
    /// Others' users in rooms of this server.
    package let handshakes: MembershipHandshakes
    package let invites: Invites
    package let past: Backfill
    /// Fetches the members of rooms that came in without them.
    package let completion: RoomCompletionService

    package init(
        _ federation: FederationServices, rooms: RoomRegistry, events: EventReader, blocksNonAdminInvites: Bool, logger: Logger
    ) {
        let (client, database) = (federation.client, rooms.environment.database)
        served = ServedRooms(rooms: rooms, events: events)
        verifier = EventVerifier(keyRing: federation.keyRing)
        intake = EventIntake(client: client, verifier: verifier, rooms: rooms, logger: logger)
        completion = RoomCompletionService(client: client, intake: intake, rooms: rooms, logger: logger)
        membership = RemoteMembership(
            client: client, verifier: verifier, intake: intake, rooms: rooms, completion: completion, logger: logger)
        handshakes = MembershipHandshakes(served: served, verifier: verifier, intake: intake)
        invites = Invites(
            client: client, verifier: verifier, intake: intake, rooms: rooms, events: events,
            blocksNonAdminInvites: blocksNonAdminInvites, logger: logger)
        past = Backfill(client: client, verifier: verifier, intake: intake, database: database, logger: logger)
    }
}

extension FederatedRooms: RemoteRooms {
    package func join(_ room: RoomID, by user: UserID, content: JSONObject, via servers: [ServerName]) async throws {
        try await membership.join(room, by: user, content: content, via: servers)
    }

    package func letsGuestsIn(_ room: RoomID, via servers: [ServerName]) async throws -> Bool {
        try await membership.letsGuestsIn(room, via: servers)
    }

    package func leave(
        _ room: RoomID, by user: UserID, content: JSONObject, ending ended: Event, via servers: [ServerName]
    ) async throws {
        try await membership.leave(room, by: user, content: content, ending: ended, via: servers)
    }

    package func knock(_ room: RoomID, by user: UserID, content: JSONObject, via servers: [ServerName]) async throws {
        try await membership.knock(room, by: user, content: content, via: servers)
    }

    package func invite(_ draft: EventDraft, of user: UserID, to room: Room) async throws -> EventID {
        try await invites.invite(draft, of: user, to: room)
    }

    package func exchange(_ invite: JSONObject, in room: RoomID, at server: ServerName) async throws {
        try await invites.exchange(invite, in: room, at: server)
    }
}
