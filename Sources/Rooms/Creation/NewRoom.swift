// All that a new room begins with, and how it becomes a room of this server.

import MatrixCore
import Persistence
import Synchronization

/// The events that follow a new room's create event, in their order, and what is stored beside them.
struct NewRoom: Sendable {
    let version: RoomVersion
    let creator: UserID
    /// Everything between the create event and the invites.
    let state: [EventDraft]
    var invites: [EventDraft] = []
    var isPublished = false
}

/// Builds rooms: their events against a state that grows from nothing, and the batch in which they are stored.
struct RoomBuilder: Sendable {
    let rooms: RoomRegistry
    private let clock = CreationClock()
    private var environment: RoomEnvironment { rooms.environment }

    init(rooms: RoomRegistry) {
        self.rooms = rooms
    }

    /// An id for a room whose create event does not decide it; nil for the other room versions.
    func roomID(for version: RoomVersion) -> RoomID? {
        version.createEventDecidesRoomID ? nil : .random(server: environment.serverName)
    }

    /// The create event, by which a new room has its id.
    ///
    /// - Parameter id: as `roomID(for:)` gave it.
    func createEvent(_ draft: EventDraft, id: RoomID?, version: RoomVersion) throws(MatrixError) -> Event {
        do {
            return try Event.build(
                draft, roomID: id, version: version, prevEvents: [], authEvents: [], depth: 1,
                originServerTimestamp: clock.next(), origin: environment.serverName, key: environment.signingKey)
        } catch {
            throw MatrixError(error)
        }
    }

    /// Builds all events of a room.
    ///
    /// - Throws: `M_INVALID_ROOM_STATE` when the wanted state contradicts the rules; by the authorization rules for an invite.
    func build(_ room: NewRoom, from create: Event, by origin: EventOrigin) async throws -> RoomBatch {
        let nid = RoomNID(environment.sequences.next(.rooms))
        var batch = RoomBatch(
            head: RoomHead(roomID: create.roomID, nid: nid, version: room.version, create: create), environment: environment)
        let keys = Set((room.state + room.invites).map { StateKey(type: $0.type, stateKey: $0.stateKey ?? "") }).union([.create])
        try await batch.material.fetch(MissingMaterial(keys: Array(keys)), version: room.version, from: environment)
        do {
            try batch.addCreate(create, from: origin)
            _ = try batch.add(room.state, from: origin)
        } catch let error as MatrixError where error.status == 403 || error.errcode == "M_BAD_JSON" {
            throw MatrixError.invalidRoomState(error.message)
        }
        _ = try batch.add(room.invites, from: origin)
        return batch
    }

    /// The room that a batch becomes, and the batch as the Journal takes it: with the room's row, and with further ones.
    func journalBatch(
        _ batch: RoomBatch, of new: NewRoom, alongside extra: @escaping @Sendable (any SQLConnection) throws -> Void
    ) -> (room: Room, batch: JournalBatch) {
        let room = Room(head: batch.head, environment: environment)
        let (id, nid, registry) = (room.id, room.nid, rooms)
        let journalBatch = batch.journalBatch(
            alongside: { connection in
                try RoomStore.insert(
                    nid: nid, id: id, version: new.version.id, creator: new.creator, published: new.isPublished, on: connection)
                try extra(connection)
            },
            committed: { head in
                room.replaceHead(head)
                registry.adopt(room)
            })
        return (room, journalBatch)
    }
}

extension RoomEnvironment {
    /// The names and pictures that the member events of local users carry.
    func profiles(of users: [UserID]) async throws -> [UserID: JSONObject] {
        let users = users.filter(isLocal)
        guard !users.isEmpty else { return [:] }
        return try await database.read { connection in
            var profiles: [UserID: JSONObject] = [:]
            for user in users {
                var profile: JSONObject = [:]
                for (field, value) in try ProfileStore.profile(of: user, on: connection)
                where field == "displayname" || field == "avatar_url" {
                    profile[field] = JSONValue(try JSONDocument(parsing: value).root)
                }
                profiles[user] = profile
            }
            return profiles
        }
    }
}

/// The times of create events, each once: from room version 12 on the create event's hash is the room's id, and two rooms that one
/// user makes alike in the same millisecond would be the same room.
private final class CreationClock: Sendable {
    private let last = Mutex<Int64>(0)

    func next() -> Timestamp {
        last.withLock { last in
            last = max(last + 1, Timestamp.now.milliseconds)
            return Timestamp(milliseconds: last)
        }
    }
}
