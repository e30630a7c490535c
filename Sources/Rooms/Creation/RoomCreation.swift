// Makes rooms. Client-Server API §Creation.

import MatrixCore
import Persistence

/// Makes rooms: all events of a new room, its alias and its invites become durable together, or there is no room.
package struct RoomCreation: Sendable {
    private let builder: RoomBuilder
    private let directory: AliasDirectory
    private let policy: RoomCreationPolicy
    private var environment: RoomEnvironment { builder.rooms.environment }

    package init(rooms: RoomRegistry, directory: AliasDirectory, policy: RoomCreationPolicy) {
        builder = RoomBuilder(rooms: rooms)
        self.directory = directory
        self.policy = policy
    }

    /// - Throws: `M_ROOM_IN_USE` for an alias that is taken, `M_INVALID_ROOM_STATE` when the wanted state contradicts the rules,
    ///   `M_INVALID_PARAM`, `M_BAD_ALIAS`, `M_INVITE_BLOCKED`, `DatabaseError`.
    package func create(
        _ request: CreateRoomRequest, by creator: UserID, device: DeviceID? = nil, isAdmin: Bool = false
    ) async throws -> RoomID {
        let alias = try await freeAlias(request.aliasName)
        try environment.checkIsNoNoticeSender(request.invites)
        if !isAdmin { try await environment.checkMayBeInvited(request.invites) }
        let mayBePublished = try directory.mayPublishNewRoom(alias: alias, by: creator)
        let plan = RoomPlan(request, creator: creator, alias: alias, policy: policy)
        try plan.check()
        // Others are invited when the room is there: their servers have a say in it.
        let invites = request.invites.filter(environment.isLocal)
        let profiles = try await environment.profiles(of: [creator] + invites)
        let room = NewRoom(
            version: plan.version, creator: creator, state: plan.state(profile: request.creatorProfile ?? profiles[creator] ?? [:]),
            invites: invites.map { plan.invite(of: $0, profile: profiles[$0] ?? [:]) },
            isPublished: request.isPublished && mayBePublished)
        let origin = EventOrigin(user: creator, device: device)
        for _ in 1..<RoomCreation.attemptLimit {
            do {
                return try await attempt(room, plan, by: origin)
            } catch let error as DatabaseError where error.isUniqueViolation {
                // The alias went to someone else, or (very nearly never) the room's id or a state key's number did.
                if let alias, try await isTaken(alias) { throw MatrixError.roomInUse }
            }
        }
        return try await attempt(room, plan, by: origin)
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

    private func attempt(_ new: NewRoom, _ plan: RoomPlan, by origin: EventOrigin) async throws -> RoomID {
        let create = try builder.createEvent(plan.create, id: builder.roomID(for: new.version), version: new.version)
        let batch = try await builder.build(new, from: create, by: origin)
        let nid = batch.head.snapshot.nid
        let (room, journalBatch) = builder.journalBatch(batch, of: new) { connection in
            if let alias = plan.alias { try AliasStore.insert(alias, room: nid, creator: new.creator, on: connection) }
        }
        do {
            try await environment.journal.append(journalBatch)
        } catch let error as DatabaseError where error.isUniqueViolation {
            batch.forgetKeys()
            throw error
        }
        return room.id
    }
}
