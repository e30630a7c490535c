// Whose devices a client has to ask for again. Client-Server API §Tracking the device list for a user.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Computes the `device_lists` of sync and the answer of `GET /keys/changes` from what happened in between, not from lists of
/// everybody.
package final class DeviceListService: Sendable {
    private let database: any Database
    private let journal: Journal
    private let rooms: RoomRegistry
    private let sharedRooms: SharedRooms
    private let window: Mutex<DeviceListWindow>

    package init(database: any Database, journal: Journal, rooms: RoomRegistry, serverName: ServerName, windowLimit: Int = 10_000) {
        self.database = database
        self.journal = journal
        self.rooms = rooms
        sharedRooms = SharedRooms(database: database, serverName: serverName)
        window = Mutex(DeviceListWindow(startingAt: journal.position, limit: windowLimit))
    }

    /// What changed for `viewer` after `after` up to `upTo`.
    ///
    /// - Returns: `changed`: those who share a room with the viewer and whose devices changed, those who came into a room with
    ///   the viewer, and those whose keys the viewer signed; `left`: those who were in a room with the viewer and are in none any more. Both in the order of their ids.
    package func changes(
        for viewer: UserID, after: StreamPosition, upTo: StreamPosition
    ) async throws -> (changed: [UserID], left: [UserID]) {
        guard after < upTo else { return ([], []) }
        if let recent = recentEntries(after: after, upTo: upTo) {
            if recent.isEmpty { return ([], []) }
            return try await answer(for: viewer, devices: devices(in: recent, seenBy: viewer), moves: moves(in: recent, for: viewer))
        }
        let (devices, changes, completed) = try await database.read { connection in
            (
                try DeviceListStore.entries(seenBy: viewer, after: after, upTo: upTo, on: connection),
                try DeviceListStore.membershipTransitions(around: viewer, after: after, upTo: upTo, on: connection),
                try PartialRoomStore.completed(after: after, upTo: upTo, on: connection)
            )
        }
        var moves = DeviceListMoves(viewer: viewer)
        for change in changes { moves.apply(change) }
        for room in completed { moves.complete(room.id) }
        return try await answer(for: viewer, devices: Set(devices), moves: moves)
    }

    // MARK: What happened

    /// Brings the window up to date with the commits that memory has, then asks it.
    private func recentEntries(after: StreamPosition, upTo: StreamPosition) -> [DeviceListWindow.Entry]? {
        window.withLock { window in
            if upTo > window.position {
                if let commits = journal.commits.recent(after: window.position) {
                    for commit in commits { window.feed(commit) }
                } else {
                    window.restart(at: journal.position)
                }
            }
            return window.entries(after: after, upTo: upTo)
        }
    }

    private func devices(in entries: [DeviceListWindow.Entry], seenBy viewer: UserID) -> Set<DeviceListEntry> {
        var found: Set<DeviceListEntry> = []
        for case .devices(let entry) in entries where entry.viewer == nil || entry.viewer == viewer { found.insert(entry) }
        return found
    }

    private func moves(in entries: [DeviceListWindow.Entry], for viewer: UserID) -> DeviceListMoves {
        var moves = DeviceListMoves(viewer: viewer)
        for entry in entries {
            switch entry {
            case .membership(let change): moves.apply(change)
            case .completion(let room): moves.complete(room)
            case .devices: continue
            }
        }
        return moves
    }

    // MARK: What it means

    private func answer(
        for viewer: UserID, devices: Set<DeviceListEntry>, moves: DeviceListMoves
    ) async throws -> (changed: [UserID], left: [UserID]) {
        var changed: Set<UserID> = []
        var gone: Set<UserID> = []
        for room in moves.roomsJoined { changed.formUnion(try await members(of: room)) }
        for room in moves.roomsLeft { gone.formUnion(try await members(of: room)) }
        for room in moves.roomsCompleted.subtracting(moves.roomsJoined) {
            if try await isJoined(viewer, to: room) { changed.formUnion(try await members(of: room)) }
        }
        for (room, users) in moves.arrivals {
            if try await isJoined(viewer, to: room) { changed.formUnion(users) }
        }
        for (room, users) in moves.departures {
            let wereTogether = if moves.roomsLeft.contains(room) { true } else { try await isJoined(viewer, to: room) }
            if wereTogether { gone.formUnion(users) }
        }
        changed.remove(viewer)
        gone.remove(viewer)

        // Whom the viewer signed, the viewer knows, be it without a common room.
        let signed = Set(devices.lazy.filter { $0.viewer != nil }.map(\.user))
        var others = Set(devices.lazy.filter { $0.viewer == nil }.map(\.user)).subtracting(changed)
        if others.remove(viewer) != nil { changed.insert(viewer) }
        let sharing = try await sharedRooms.companions(of: viewer, among: others.union(gone))
        changed.formUnion(others.intersection(sharing))
        let left = gone.subtracting(sharing).subtracting(changed)
        changed.formUnion(signed.subtracting(left))
        return (changed.sorted(), left.sorted())
    }

    /// Those who are joined to a room.
    private func members(of room: RoomID) async throws -> [UserID] {
        guard let snapshot = try await rooms.room(room)?.current else { return [] }
        return snapshot.state.compactMap { key, entry in
            entry.membership == .join ? UserID(trusted: key.stateKey.string) : nil
        }
    }

    private func isJoined(_ user: UserID, to room: RoomID) async throws -> Bool {
        try await rooms.room(room)?.current.membership(of: user) == .join
    }
}

extension DeviceListService: DeviceObserver {
    package func records(forChangeOf devices: [DeviceID], of user: UserID) -> [any JournalRecord] {
        devices.map { DeviceListChange(user: user, .device($0)) }
    }
}
