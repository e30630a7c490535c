// Makes rooms. Client-Server API §Creation.

import MatrixCore
import Persistence
import Synchronization

/// Makes rooms: all events of a new room, its alias and its invites become durable together, or there is no room.
package struct RoomCreation: Sendable {
    private let rooms: RoomRegistry
    private let directory: AliasDirectory
    private let policy: RoomCreationPolicy
    private let clock = CreationClock()
    private var environment: RoomEnvironment { rooms.environment }

    package init(rooms: RoomRegistry, directory: AliasDirectory, policy: RoomCreationPolicy) {
        self.rooms = rooms
        self.directory = directory
        self.policy = policy
    }

    /// - Throws: `M_ROOM_IN_USE` for an alias that is taken, `M_INVALID_ROOM_STATE` when the wanted state contradicts the rules,
    ///   `M_INVALID_PARAM`, `DatabaseError`.
    package func create(_ request: CreateRoomRequest, by creator: UserID, device: DeviceID? = nil) async throws -> RoomID {
        let alias = try await freeAlias(request.aliasName)
        for invitee in request.invites where !environment.isLocal(invitee) {
            throw MatrixError.remoteServer(invitee.server)
        }
        let plan = RoomPlan(request, creator: creator, alias: alias, policy: policy)
        let profiles = try await profiles(of: [creator] + request.invites)
        let origin = EventOrigin(user: creator, device: device)
        for _ in 1..<RoomCreation.attemptLimit {
            do {
                return try await attempt(plan, by: origin, profiles)
            } catch let error as DatabaseError where error.isUniqueViolation {
                // The alias went to someone else, or (very nearly never) the room's id or a state key's number did.
                if let alias, try await isTaken(alias) { throw MatrixError.roomInUse }
            }
        }
        return try await attempt(plan, by: origin, profiles)
    }

    private static let attemptLimit = 3

    // MARK: Steps

    private func freeAlias(_ name: String?) async throws -> RoomAlias? {
        guard let name else { return nil }
        guard !name.utf8.contains(UInt8(ascii: ":")) else {
            throw MatrixError.invalidParam("':' is not permitted in the room alias name: it is the part before the server's name")
        }
        let alias = RoomAlias(localpart: ByteString(name), server: environment.serverName)
        try directory.check(alias)
        guard try await !isTaken(alias) else { throw MatrixError.roomInUse }
        return alias
    }

    private func isTaken(_ alias: RoomAlias) async throws -> Bool {
        try await environment.database.read { try AliasStore.alias(alias, on: $0) } != nil
    }

    /// The names and pictures that the member events carry.
    private func profiles(of users: [UserID]) async throws -> [UserID: JSONObject] {
        try await environment.database.read { connection in
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

    private func attempt(_ plan: RoomPlan, by origin: EventOrigin, _ profiles: [UserID: JSONObject]) async throws -> RoomID {
        let batch = try await build(plan, by: origin, profiles)
        let room = Room(head: batch.head, environment: environment)
        try await store(batch, plan, room)
        return room.id
    }

    private func build(_ plan: RoomPlan, by origin: EventOrigin, _ profiles: [UserID: JSONObject]) async throws -> RoomBatch {
        let create = try createEvent(plan)
        let nid = RoomNID(environment.sequences.next(.rooms))
        var batch = RoomBatch(
            head: RoomHead(roomID: create.roomID, nid: nid, version: plan.version, create: create), environment: environment)
        let state = plan.state(profile: profiles[plan.creator] ?? [:])
        let invites = plan.request.invites.map { plan.invite(of: $0, profile: profiles[$0] ?? [:]) }
        let keys = Set((state + invites).map { StateKey(type: $0.type, stateKey: $0.stateKey ?? "") }).union([.create])
        try await batch.material.fetch(MissingMaterial(keys: Array(keys)), version: plan.version, from: environment)
        do {
            try batch.addCreate(create, from: origin)
            _ = try batch.add(state, from: origin)
        } catch let error as MatrixError where error.status == 403 || error.errcode == "M_BAD_JSON" {
            throw MatrixError.invalidRoomState(error.message)
        }
        _ = try batch.add(invites, from: origin)
        return batch
    }

    private func createEvent(_ plan: RoomPlan) throws(MatrixError) -> Event {
        let id = plan.version.createEventDecidesRoomID ? nil : RoomID(localpart: RoomCreation.randomName(), server: environment.serverName)
        do {
            return try Event.build(
                plan.create, roomID: id, version: plan.version, prevEvents: [], authEvents: [], depth: 1,
                originServerTimestamp: clock.next(), origin: environment.serverName, key: environment.signingKey)
        } catch {
            throw MatrixError(error)
        }
    }

    /// Eighteen letters: some 102 bits.
    private static func randomName() -> ByteString {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        return ByteString(String((0..<18).map { _ in letters[Int.random(in: letters.indices)] }))
    }

    private func store(_ batch: RoomBatch, _ plan: RoomPlan, _ room: Room) async throws {
        let (id, nid, registry) = (room.id, room.nid, rooms)
        let journalBatch = batch.journalBatch(
            alongside: { connection in
                try RoomStore.insert(
                    nid: nid, id: id, version: plan.version.id, creator: plan.creator, published: plan.request.isPublished,
                    on: connection)
                if let alias = plan.alias { try AliasStore.insert(alias, room: nid, creator: plan.creator, on: connection) }
            },
            committed: { head in
                room.replaceHead(head)
                registry.adopt(room)
            })
        do {
            try await environment.journal.append(journalBatch)
        } catch let error as DatabaseError where error.isUniqueViolation {
            batch.forgetKeys()
            throw error
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
