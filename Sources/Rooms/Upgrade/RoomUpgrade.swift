// Replaces a room by one of another version. Client-Server API §Room upgrades.

import MatrixCore
import Persistence

/// Upgrades rooms: the new room with all that it takes over, and the events that close the old one, become durable together, or nothing
/// does.
package struct RoomUpgrade: Sendable {
    private let builder: RoomBuilder
    private let events: EventReader
    private var rooms: RoomRegistry { builder.rooms }
    private var environment: RoomEnvironment { builder.rooms.environment }

    /// The old room's state moved between reading and closing.
    private struct Moved: Error {}

    private static let attemptLimit = 20

    package init(rooms: RoomRegistry, events: EventReader) {
        builder = RoomBuilder(rooms: rooms)
        self.events = events
    }

    /// - Parameter additionalCreators: of the new room; nothing before room version 12.
    /// - Returns: the id of the new room.
    /// - Throws: `M_NOT_FOUND` for an unknown room, `M_FORBIDDEN` for who cannot close it.
    package func upgrade(
        _ oldID: RoomID, to version: RoomVersion, additionalCreators: [UserID] = [], by origin: EventOrigin
    ) async throws -> RoomID {
        guard let old = try await rooms.room(oldID) else { throw MatrixError.notFound("Unknown room id \(oldID)") }
        let creators = version.creatorsHaveInfinitePower ? additionalCreators.filter { $0 != origin.user } : []
        for _ in 1..<RoomUpgrade.attemptLimit {
            do { return try await attempt(old, version, creators, by: origin) } catch is Moved { continue }
        }
        throw MatrixError.unknown("The room's state changes too quickly", status: 503)
    }

    private func attempt(
        _ old: Room, _ version: RoomVersion, _ creators: [UserID], by origin: EventOrigin
    ) async throws -> RoomID {
        let before = old.current
        let plan = UpgradePlan(upgrader: origin.user, version: version, additionalCreators: creators, old: before)
        // Where the create event decides the room's id, it has to be there before the tombstone that names the room.
        let id = builder.roomID(for: version)
        let create = id == nil ? try builder.createEvent(plan.create(tombstone: nil), id: nil, version: version) : nil
        guard let replacement = id ?? create?.roomID else { throw MatrixError.internalError }
        let contents = try await contents(of: ClosingPlan.wantedKeys, in: before)
        let closing = ClosingPlan(
            upgrader: origin.user, replacement: replacement, canonicalAlias: contents[.canonicalAlias],
            powerLevels: contents[.powerLevels])
        let server = environment.serverName

        try await old.send(
            from: origin,
            making: { state in
                let isSame = ClosingPlan.wantedKeys.allSatisfy { state.entry($0)?.nid == before.entry($0)?.nid }
                guard isSame else { throw Moved() }
                return closing.drafts(in: state) { RoomUpgrade.isLocal($0, server) }
            },
            together: { state, ids in
                let plan = UpgradePlan(upgrader: origin.user, version: version, additionalCreators: creators, old: state)
                let event = try create ?? builder.createEvent(plan.create(tombstone: ids.first), id: replacement, version: version)
                return try await companion(plan, event, by: origin)
            })
        return replacement
    }

    /// The new room, and the aliases and the place in the directory that go over to it.
    private func companion(_ plan: UpgradePlan, _ create: Event, by origin: EventOrigin) async throws -> RoomBatchCompanion {
        let (old, server) = (plan.old.nid, environment.serverName)
        let contents = try await contents(of: plan.wantedKeys, in: plan.old)
        let profile = try await environment.profiles(of: [plan.upgrader])[plan.upgrader] ?? [:]
        let isPublished = try await environment.database.read { try RoomStore.isPublished(old, on: $0) }
        let room = NewRoom(
            version: plan.version, creator: plan.upgrader,
            state: plan.state(contents, profile: profile) { RoomUpgrade.isLocal($0, server) }, isPublished: isPublished)
        let batch = try await builder.build(room, from: create, by: EventOrigin(user: origin.user, device: origin.device))
        let new = batch.head.snapshot.nid
        let (_, journalBatch) = builder.journalBatch(batch, of: room) { connection in
            try AliasStore.move(from: old, to: new, on: connection)
            if isPublished { try RoomSummaryStore.setPublished(false, old, on: connection) }
        }
        return RoomBatchCompanion(batch: journalBatch, refused: { batch.forgetKeys() })
    }

    /// The contents of the events that hold these keys.
    private func contents(of keys: [StateKey], in room: RoomSnapshot) async throws -> [StateKey: JSONObject] {
        let holders = keys.compactMap { key in room.entry(key).map { (key: key, nid: $0.nid) } }
        let found = try await events.events(holders.map(\.nid)).reduce(into: [:]) { $0[$1.nid] = $1 }
        var contents: [StateKey: JSONObject] = [:]
        for holder in holders { contents[holder.key] = try found[holder.nid]?.content().map { JSONObject($0) } }
        return contents
    }

    private static func isLocal(_ alias: String, _ server: ServerName) -> Bool {
        RoomAlias(valid: alias)?.belongs(to: server) == true
    }
}
