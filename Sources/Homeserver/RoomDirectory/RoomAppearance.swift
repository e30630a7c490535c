// What a room looks like from outside. Client-Server API §Room summaries, §Listing rooms.

import MatrixCore
import Persistence
import Rooms

/// A room as it is shown to who may not be in it: its name and its like, read from its current state.
package struct RoomAppearance: Sendable {
    package let snapshot: RoomSnapshot
    package var name: String?
    package var topic: String?
    package var canonicalAlias: String?
    package var avatarURL: String?
    /// The algorithm of `m.room.encryption`.
    package var encryption: String?
    package let roomType: String?

    init(_ snapshot: RoomSnapshot, events: [StateKey: TimelineEvent]) {
        self.snapshot = snapshot
        roomType = CreateEvent(snapshot.createEvent).roomType?.string
        func text(_ key: StateKey, _ member: String) -> String? {
            guard let text = events[key]?.contentIfReadable?[member]?.string, !text.isEmpty else { return nil }
            return text
        }
        name = text(.name, "name")
        topic = text(.topic, "topic")
        canonicalAlias = text(.canonicalAlias, "alias")
        avatarURL = text(.avatar, "url")
        encryption = text(.encryption, "algorithm")
    }

    /// The entries of the state from which a summary is read.
    static let keys: [StateKey] = [.name, .topic, .canonicalAlias, .avatar, .encryption]

    package var isSpace: Bool { roomType == "m.space" }

    /// The join rule; one that no room version defines lets nobody in, like `invite`.
    package var joinRule: String {
        snapshot.joinRule.rule == .unknown ? JoinRules.Rule.invite.rawValue : snapshot.joinRule.rule.rawValue
    }

    package var isWorldReadable: Bool { snapshot.historyVisibility == .worldReadable }
    package var guestsCanJoin: Bool { snapshot.guestAccess == .canJoin }

    /// The rooms whose members may join a restricted room.
    package var allowedRooms: [RoomID] {
        guard snapshot.joinRule.isRestricted else { return [] }
        return snapshot.joinRule.allow.map { condition in
            switch condition {
            case .roomMembership(let room): room
            }
        }
    }

    /// Writes the members of a `RoomSummary` of the specification.
    package func write(to writer: inout JSONWriter) {
        writer.member("room_id", snapshot.roomID)
        writer.member("room_version", snapshot.version.id)
        for (key, text) in [
            ("name", name), ("topic", topic), ("canonical_alias", canonicalAlias), ("avatar_url", avatarURL), ("room_type", roomType),
            ("encryption", encryption),
        ] {
            if let text { writer.member(key, text) }
        }
        writer.member("num_joined_members", snapshot.joinedCount)
        writer.member("join_rule", joinRule)
        writer.member("world_readable", isWorldReadable)
        writer.member("guest_can_join", guestsCanJoin)
        if !allowedRooms.isEmpty { writer.member("allowed_room_ids", allowedRooms) }
    }
}

/// Reads what rooms look like.
package struct RoomAppearanceReader: Sendable {
    private let rooms: RoomRegistry
    private let events: EventReader

    package init(rooms: RoomRegistry, events: EventReader) {
        self.rooms = rooms
        self.events = events
    }

    /// The appearances of rooms, in their order: one look-up for all.
    package func appearances(of snapshots: [RoomSnapshot]) async throws -> [RoomAppearance] {
        let wanted = snapshots.flatMap { snapshot in RoomAppearance.keys.compactMap { snapshot.entry($0)?.nid } }
        let found = try await events.events(wanted).reduce(into: [EventNID: TimelineEvent]()) { $0[$1.nid] = $1 }
        return snapshots.map { snapshot in
            var events: [StateKey: TimelineEvent] = [:]
            for key in RoomAppearance.keys { events[key] = snapshot.entry(key).flatMap { found[$0.nid] } }
            return RoomAppearance(snapshot, events: events)
        }
    }

    /// The events of some of the joined members.
    func members(of snapshot: RoomSnapshot, limit: Int) async throws -> [TimelineEvent] {
        let nids = snapshot.state.lazy.compactMap { $0.value.membership == .join ? $0.value.nid : nil }.prefix(limit)
        return try await events.events(Array(nids))
    }

    package func appearance(of snapshot: RoomSnapshot) async throws -> RoomAppearance {
        try await appearances(of: [snapshot]).first ?? RoomAppearance(snapshot, events: [:])
    }

    /// The current state of a room that `user` may know of: who is in it or invited, could join or knock, or may read it.
    ///
    /// - Parameter user: nil for who has no account here.
    /// - Returns: nil where this server is not in the room, or it is none of the user's business.
    package func accessible(_ room: RoomID, to user: UserID?) async throws -> RoomSnapshot? {
        guard let snapshot = try await current(room), snapshot.isJoined(by: rooms.environment.serverName) else { return nil }
        if snapshot.isKnowable { return snapshot }
        guard let user else { return nil }
        switch snapshot.membership(of: user) {
        case .join, .invite: return snapshot
        case .ban: return nil
        case .leave, .knock, nil: break
        }
        guard snapshot.joinRule.isRestricted else { return nil }
        for case .roomMembership(let other) in snapshot.joinRule.allow.prefix(RoomAppearanceReader.allowLimit) {
            if try await current(other)?.membership(of: user) == .join { return snapshot }
        }
        return nil
    }

    /// The current state of a room that another server may know of: the room may be known by anybody, or one of the server's users is in
    /// it, is invited, or could join through another room. Which user that is, the other server finds out.
    package func accessible(_ room: RoomID, toServer server: ServerName) async throws -> RoomSnapshot? {
        guard let snapshot = try await current(room), snapshot.joinedCount > 0 else { return nil }
        if snapshot.isKnowable || snapshot.hasMember(of: server, where: { $0 == .join || $0 == .invite }) { return snapshot }
        guard snapshot.joinRule.isRestricted else { return nil }
        for case .roomMembership(let other) in snapshot.joinRule.allow.prefix(RoomAppearanceReader.allowLimit) {
            if try await current(other)?.isJoined(by: server) == true { return snapshot }
        }
        return nil
    }

    /// Whether `user` may know of a room that this server is not in, by what another one says of its rules: it may be known by anybody, or
    /// the user is invited, or in a room whose members may join.
    ///
    /// - Parameter user: nil for who has no account here.
    package func isAccessible(_ room: RemoteRoom, to user: UserID?) async throws -> Bool {
        if room.isKnowable { return true }
        guard let user else { return false }
        if try await rooms.environment.database.read({ try MembershipStore.membership(of: user, in: room.room, on: $0) }) == .invite {
            return true
        }
        for other in room.allowedRooms {
            if try await current(other)?.membership(of: user) == .join { return true }
        }
        return false
    }

    /// Whether `server` takes part in a room that is known here.
    package func isResident(_ room: RoomID, _ server: ServerName) async throws -> Bool {
        try await current(room)?.isJoined(by: server) ?? false
    }

    /// A room that cannot be loaded counts as unknown: it must not spoil a list of others.
    private func current(_ room: RoomID) async throws -> RoomSnapshot? {
        do { return try await rooms.room(room)?.current } catch is RoomDamaged { return nil }
    }

    /// How many rooms of a restricted join rule are looked at.
    private static let allowLimit = 50
}

extension RoomSnapshot {
    /// Whether the room's rules let everyone know of it: all may join, knock or read.
    package var isKnowable: Bool {
        if historyVisibility == .worldReadable { return true }
        switch joinRule.rule {
        case .public: return true
        case .knock: return version.knocking
        case .knockRestricted: return version.knockRestricted
        case .invite, .private, .restricted, .unknown: return false
        }
    }
}
