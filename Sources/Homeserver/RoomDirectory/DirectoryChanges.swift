// What a run of events changes in the directories.

import MatrixCore
import Persistence
import Rooms

/// The rooms and members that must be looked at again after some events. What they are by then, the rooms say.
struct DirectoryChanges: Sendable {
    /// The rooms that look different.
    private(set) var appearances: [RoomNID: RoomID] = [:]
    /// The members who came or went.
    private(set) var members: [RoomNID: Members] = [:]
    /// The newest names and pictures of users of other servers, by their member events.
    private(set) var profiles: [UserID: TimelineEvent] = [:]
    /// The rooms whose members had not all been known, and are now.
    private(set) var completed: Set<RoomNID> = []

    struct Members: Sendable {
        let room: RoomID
        var users: Set<UserID> = []
        /// When a user of this server came or went first; nil where none did.
        var firstLocalMove: StreamPosition?
    }

    private let serverName: ServerName

    init(serverName: ServerName) { self.serverName = serverName }

    var isEmpty: Bool { appearances.isEmpty && members.isEmpty && profiles.isEmpty }

    /// All rooms that are concerned.
    var rooms: [RoomNID: RoomID] { appearances.merging(members.mapValues(\.room)) { first, _ in first } }

    /// Whether an event may change something: a quick look.
    static func mayHold(_ event: TimelineEvent) -> Bool {
        event.redacts != nil || event.isState && (event.type == StateKey.memberType || telling.contains(event.type))
    }

    mutating func note(_ event: TimelineEvent) {
        // What a redaction took away may have been the name.
        if event.redacts != nil { appearances[event.roomNID] = event.roomID }
        guard let stateKey = event.stateKey else { return }
        if event.type == StateKey.memberType {
            guard let user = UserID(valid: stateKey.string) else { return }
            noteMember(user, event)
        } else if stateKey.isEmpty, Self.telling.contains(event.type) {
            appearances[event.roomNID] = event.roomID
        }
    }

    mutating func noteCompletion(of room: RoomID, _ nid: RoomNID) {
        completed.insert(nid)
        members[nid] = members[nid] ?? Members(room: room)
        appearances[nid] = room
    }

    private mutating func noteMember(_ user: UserID, _ event: TimelineEvent) {
        if event.membership == .join, !user.belongs(to: serverName) { profiles[user] = event }
        guard (event.membership == .join) != (event.previousMembership == .join) else { return }
        members[event.roomNID, default: Members(room: event.roomID)].users.insert(user)
        if user.belongs(to: serverName), members[event.roomNID]?.firstLocalMove == nil {
            members[event.roomNID]?.firstLocalMove = event.position
        }
    }

    /// The types of state that show in a directory.
    private static let telling: Set<ByteString> = [
        "m.room.create", "m.room.name", "m.room.topic", "m.room.canonical_alias", "m.room.avatar", "m.room.join_rules",
        "m.room.history_visibility", "m.room.guest_access",
    ]
}
