// What this server keeps of a room goes over to the room that another server has put in its place. Client-Server API §Room upgrades,
// server behaviour.

import MatrixCore
import Persistence
import Rooms

/// Watches for users of this server who come into a room that took the place of one that they know: its aliases here, its place in the
/// directory, and what people have set for it go along. Of upgrades that this server carries out itself, `RoomUpgrade` does all that.
///
/// Both rooms must say so: who only claims to replace a room gets nothing of it.
package struct RoomSuccession: CommitHandler {
    package let name = "room_succession"
    private let database: any Database
    private let rooms: RoomRegistry
    private let events: EventReader
    private let settings: RoomSettingsCopy
    private var serverName: ServerName { rooms.environment.serverName }

    package init(database: any Database, rooms: RoomRegistry, events: EventReader, settings: RoomSettingsCopy) {
        self.database = database
        self.rooms = rooms
        self.events = events
        self.settings = settings
    }

    package func begin(newest: StreamPosition) async throws -> StreamPosition { newest }

    package func concerns(_ change: Change) -> Bool {
        change.event.map { isArrival($0) || Self.isTombstone($0) } ?? false
    }

    package func take(_ commits: [Commit]) async throws -> CommitOutcome {
        // The tombstone may be heard of before somebody comes into the new room, or after.
        var candidates: Set<RoomID> = []
        for event in commits.events {
            if isArrival(event) { candidates.insert(event.roomID) }
            if Self.isTombstone(event), let replacement = try Self.replacement(event) { candidates.insert(replacement) }
        }
        var moves: [(old: RoomSnapshot, new: RoomSnapshot)] = []
        for id in candidates {
            guard let move = try await succession(to: id) else { continue }
            try await settings.copy(from: move.old.roomID, move.old.nid, to: id)
            moves.append(move)
        }
        guard !moves.isEmpty else { return .nothing }
        let rooms = moves.map { (old: $0.old.nid, new: $0.new.nid) }
        return .write { connection in
            for (old, new) in rooms {
                try AliasStore.move(from: old, to: new, on: connection)
                guard try RoomStore.isPublished(old, on: connection) else { continue }
                try RoomSummaryStore.setPublished(false, old, on: connection)
                try RoomSummaryStore.setPublished(true, new, on: connection)
            }
        }
    }

    /// The room that this one replaces, where both agree on it and another server made the new one.
    private func succession(to id: RoomID) async throws -> (old: RoomSnapshot, new: RoomSnapshot)? {
        guard let new = try await rooms.room(id)?.current, new.isJoined(by: serverName), new.createEvent.sender.server != serverName,
            let predecessor = CreateEvent(new.createEvent).predecessor, let old = try await rooms.room(predecessor)?.current,
            let tombstone = old.entry(.tombstone), let event = try await events.event(tombstone.nid),
            try Self.replacement(event) == id
        else { return nil }
        return (old, new)
    }

    private func isArrival(_ event: TimelineEvent) -> Bool {
        event.membership == .join && event.previousMembership != .join
            && event.stateKey.flatMap { UserID(valid: $0.string) }?.belongs(to: serverName) == true
    }

    private static func isTombstone(_ event: TimelineEvent) -> Bool { event.type == StateKey.tombstone.type && event.stateKey == "" }

    private static func replacement(_ tombstone: TimelineEvent) throws -> RoomID? {
        try tombstone.content()?["replacement_room"]?.string.flatMap { RoomID(valid: $0) }
    }
}
