// Who is there, of those whom the reader shares a room with. Client-Server API §Presence.

import MatrixCore
import Persistence
import Rooms
import Synchronization

extension SyncReader {
    /// Above as many members, those who come new to a room are told of nobody who is offline.
    private static let offlineLimit = 100

    /// Adds the presences that are news to the client.
    func readPresence(_ answer: inout SyncAnswer) async throws {
        guard engine.presence.isShown, !filter.filter.presence.passesNothing else { return }
        var users: Set<UserID> = []
        if scope.hasPresence { users = try await usersOfNewPresence() }
        if since != nil { users.formUnion(try await newCompanions(answer)) }
        users = users.filter { filter.filter.presence.passes(type: SyncAnswer.presenceType, sender: $0) }
        guard !users.isEmpty else { return }
        answer.presences = try await engine.presence.presences(of: users.sorted())
    }

    private func usersOfNewPresence() async throws -> Set<UserID> {
        guard let since, !request.wantsFullState else {
            var users = Set(try await engine.companions(of: request.user, among: Set(engine.presence.present)))
            if engine.presence.includesOfflineUsers {
                let known = try await engine.presence.changed(after: .zero)
                users.formUnion(try await engine.companions(of: request.user, among: known))
            }
            return users
        }
        let changed: Set<UserID>
        if let recent = engine.state.withLock({ $0.presences.users(after: since) }) {
            changed = recent
        } else {
            changed = try await engine.presence.changed(after: since)
        }
        return try await engine.companions(of: request.user, among: changed)
    }

    /// Those whom the reader shares a room with since the last sync: the members of rooms that are new, and who has come into the others.
    private func newCompanions(_ answer: SyncAnswer) async throws -> Set<UserID> {
        var users: Set<UserID> = []
        for room in answer.joined where !engine.presence.excludedRooms.contains(room.room) {
            if room.isNew {
                users.formUnion(try await members(of: room.room))
                continue
            }
            for event in room.state + room.timeline.passed where event.membership == .join || event.membership == .invite {
                guard event.membership != event.previousMembership, let member = event.stateKey else { continue }
                users.insert(UserID(trusted: member.string))
            }
        }
        users.remove(request.user)
        return users
    }

    /// All members of a small room; of a large one those who are there.
    private func members(of room: RoomID) async throws -> [UserID] {
        let snapshot = try await engine.rooms.existing(room).current
        guard snapshot.joinedCount > SyncReader.offlineLimit else {
            return snapshot.state.compactMap { key, entry in
                entry.membership == .join ? UserID(trusted: key.stateKey.string) : nil
            }
        }
        return engine.presence.present.filter { snapshot.membership(of: $0) == .join }
    }
}

extension SyncEngine {
    /// Those of `candidates` who share a room with `viewer`, and `viewer`.
    func companions(of viewer: UserID, among candidates: Set<UserID>) async throws -> Set<UserID> {
        guard !candidates.isEmpty else { return [] }
        let excluded = presence.excludedRooms
        let (known, unknown) = state.withLock { $0.companions(of: viewer, among: candidates, except: excluded) }
        guard !unknown.isEmpty else { return known }
        return known.union(try await presence.sharingRoom(with: viewer, among: unknown))
    }
}

extension SyncState {
    /// Those of `candidates` who share a room with `viewer`, and those of whom that is not known here.
    fileprivate func companions(
        of viewer: UserID, among candidates: Set<UserID>, except excluded: Set<RoomID>
    ) -> (known: Set<UserID>, unknown: [UserID]) {
        guard let own = feeds[viewer], own.isLoaded else { return ([], Array(candidates)) }
        let rooms = own.rooms.values.filter { $0.membership == .join && !excluded.contains($0.room) }.map(\.nid)
        let count = rooms.reduce(0) { $0 + (tails[$1]?.feeds.count ?? 0) }
        var known: Set<UserID> = []
        var unknown: [UserID] = []
        if count < candidates.count {
            // Fewer active members than candidates: those are looked through.
            for room in rooms {
                guard let tail = tails[room] else { continue }
                for user in tail.feeds.keys where candidates.contains(user) { known.insert(user) }
            }
            unknown = candidates.filter { feeds[$0]?.isLoaded != true }
        } else {
            for user in candidates {
                guard feeds[user]?.isLoaded == true else {
                    unknown.append(user)
                    continue
                }
                if rooms.contains(where: { tails[$0]?.feeds[user] != nil }) { known.insert(user) }
            }
        }
        if candidates.contains(viewer) { known.insert(viewer) }
        unknown.removeAll { $0 == viewer }
        return (known, unknown)
    }
}
