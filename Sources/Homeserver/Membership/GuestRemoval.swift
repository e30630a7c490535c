// Guests leave when a room no longer wants them. Client-Server API §Guest access, server behaviour.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Watches rooms for a change of guest access, and has the guests of this server leave those that are closed to them.
package struct GuestRemoval: CommitHandler {
    package let name = "guest_access"
    private let database: any Database
    private let rooms: RoomRegistry
    private let membership: RoomMembership
    private let logger: Logger

    package init(database: any Database, rooms: RoomRegistry, membership: RoomMembership, logger: Logger) {
        self.database = database
        self.rooms = rooms
        self.membership = membership
        self.logger = logger
    }

    package func begin(newest: StreamPosition) async throws -> StreamPosition { newest }

    package func concerns(_ change: Change) -> Bool { change.event.map(Self.isChange) ?? false }

    private static func isChange(_ event: TimelineEvent) -> Bool { event.type == StateKey.guestAccess.type && event.stateKey == "" }

    package func take(_ commits: [Commit]) async throws -> CommitOutcome {
        let changed = Set(commits.events.filter(Self.isChange).map(\.roomID))
        guard !changed.isEmpty else { return .nothing }
        for id in changed {
            guard let room = try await rooms.room(id), room.current.guestAccess != .canJoin else { continue }
            let nid = room.nid
            for guest in try await database.read({ try MembershipStore.guests(in: nid, on: $0) }) { try await remove(guest, from: id) }
        }
        return .write { _ in }
    }

    /// As with Synapse, guests leave by themselves: nobody in the room needs the power for it.
    private func remove(_ guest: UserID, from room: RoomID) async throws {
        do {
            try await membership.change(.leave, of: guest, in: room, by: MembershipRequester(user: guest))
        } catch let error as MatrixError {
            logger.info("a guest stays in a room", metadata: ["room": "\(room)", "user": "\(guest)", "error": "\(error)"])
        }
    }
}
