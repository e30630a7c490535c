// Keeps the tables of the room directory and the user directory up to date with the commit stream.

import MatrixCore
import Persistence
import Rooms

/// Writes what rooms look like, who is joined where, and how users of other servers call themselves. One handler for both directories:
/// who is visible in one depends on what a room is in the other.
package struct DirectoryIndex: CommitHandler {
    package let name = "directory"
    /// Who asks a directory does not wait for it to pass.
    package let patience = Duration.seconds(5)
    private let database: any Database
    private let rooms: RoomRegistry
    private let appearances: RoomAppearanceReader
    private let serverName: ServerName

    /// How many accounts are taken into the user directory in one transaction.
    private static let accountPage = 200
    /// How many members of a room that is new here are taken into the user directory at once.
    private static let memberLimit = 1000

    package init(database: any Database, rooms: RoomRegistry, appearances: RoomAppearanceReader, serverName: ServerName) {
        self.database = database
        self.rooms = rooms
        self.appearances = appearances
        self.serverName = serverName
    }

    /// Takes in the accounts that were there before the directory; rooms follow from their events.
    package func begin(newest: StreamPosition) async throws -> StreamPosition {
        var last = ""
        while true {
            let after = last
            let accounts = try await database.write { connection in
                let accounts = try UserDirectoryStore.accounts(after: after, limit: Self.accountPage, on: connection)
                for user in accounts { try UserDirectoryEntry.refresh(user, on: connection) }
                return accounts
            }
            guard let end = accounts.last else { return .zero }
            last = end.string
        }
    }

    package func concerns(_ change: Change) -> Bool {
        switch change.kind {
        case .event(let event): DirectoryChanges.mayHold(event)
        case .completion: true
        default: false
        }
    }

    package func take(_ commits: [Commit]) async throws -> CommitOutcome {
        var changes = DirectoryChanges(serverName: serverName)
        for change in commits.lazy.flatMap(\.changes) {
            switch change.kind {
            case .event(let event): changes.note(event)
            case .completion(let room, let nid): changes.noteCompletion(of: room, nid)
            default: continue
            }
        }
        guard !changes.isEmpty else { return .nothing }

        var snapshots: [RoomNID: RoomSnapshot] = [:]
        for (nid, id) in changes.rooms {
            // How a room is that this server has left, nobody tells it.
            guard let room = try await rooms.room(id)?.current, room.isJoined(by: serverName) || room.servers.isEmpty else { continue }
            snapshots[nid] = room
        }
        // Of a room that this server has just come into, no event told what it is and who was there.
        let new = changes.members.compactMap { nid, members in
            snapshots[nid].flatMap { changes.completed.contains(nid) || isNew($0, by: members) ? $0 : nil }
        }
        let shown = Set(changes.appearances.keys).union(new.map(\.nid)).compactMap { snapshots[$0] }
        let rows = try await appearances.appearances(of: shown).map { RoomSummaryRow($0) }
        var profiles = changes.profiles
        for room in new { profiles.merge(try await profilesOfOthers(in: room)) { newer, _ in newer } }
        let entries = profiles.map { user, event in UserDirectoryEntry(user: user, member: event.contentIfReadable) }
        let (taken, found) = (changes, snapshots)
        return .write { connection in
            for row in rows { try RoomSummaryStore.set(row, on: connection) }
            for nid in taken.rooms.keys where found[nid] == nil {
                try RoomSummaryStore.delete(nid, on: connection)
                try JoinedMemberStore.deleteAll(in: nid, on: connection)
            }
            for (nid, members) in taken.members {
                guard let room = found[nid] else { continue }
                try RoomSummaryStore.setJoinedMembers(Int64(room.joinedCount), of: nid, on: connection)
                if taken.completed.contains(nid) {
                    try SharedRoomStore.takeMembers(of: nid, on: connection)
                } else {
                    try Self.write(members, of: nid, room, on: connection)
                }
            }
            for entry in entries { try entry.write(on: connection) }
        }
    }

    /// Whether those of this server who are in the room have come just now, to others.
    private func isNew(_ room: RoomSnapshot, by members: DirectoryChanges.Members) -> Bool {
        let joined = members.users.count { $0.belongs(to: serverName) && room.membership(of: $0) == .join }
        return joined > 0 && room.servers.count > 1 && room.servers[serverName] == joined
    }

    /// The member events of the users of other servers in a room; of a large one not all.
    private func profilesOfOthers(in room: RoomSnapshot) async throws -> [UserID: TimelineEvent] {
        let members = try await appearances.members(of: room, limit: Self.memberLimit).compactMap { event in
            event.stateKey.flatMap { UserID(valid: $0.string) }.map { ($0, event) }
        }
        return Dictionary(members.filter { !$0.0.belongs(to: serverName) }) { $1 }
    }

    private static func write(
        _ members: DirectoryChanges.Members, of nid: RoomNID, _ room: RoomSnapshot, on connection: any SQLConnection
    ) throws {
        if let first = members.firstLocalMove, room.joinedCount > members.users.count,
            try !SharedRoomStore.isLocal(nid, sinceBefore: first, on: connection)
        {
            return try SharedRoomStore.takeMembers(of: nid, on: connection)
        }
        for user in members.users {
            if room.membership(of: user) == .join {
                try JoinedMemberStore.insert(user, nid, on: connection)
            } else {
                try JoinedMemberStore.delete(user, nid, on: connection)
            }
        }
    }
}

extension RoomSummaryRow {
    init(_ summary: RoomAppearance) {
        let room = summary.snapshot
        self.init(room: room.nid, roomID: room.roomID, joinedMembers: Int64(room.joinedCount))
        name = summary.name.map(storable)
        topic = summary.topic.map(storable)
        canonicalAlias = summary.canonicalAlias.map(storable)
        avatarURL = summary.avatarURL.map(storable)
        roomType = summary.roomType.map(storable)
        joinRule = summary.joinRule
        worldReadable = summary.isWorldReadable
        guestCanJoin = summary.guestsCanJoin
        federates = room.federates
        isListable = room.isKnowable
        isPublic = summary.isWorldReadable || room.joinRule.rule == .public
        searchText = [name, topic, canonicalAlias].compactMap { $0 }.map { RoomListRequest.searchable($0) }.joined(separator: "\n")
    }
}

/// Text without U+0000, which no database column holds.
func storable(_ text: String) -> String {
    guard text.utf8.contains(0) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value != 0 }))
}
