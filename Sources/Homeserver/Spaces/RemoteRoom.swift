// A room as another server tells of it. Server-Server API §Spaces.

import MatrixCore

/// The summary of a room that this server is not in. What it says is shown, and believed only in whether to show it.
package struct RemoteRoom: Sendable {
    package let room: RoomID
    package let isSpace: Bool
    /// Whether its rules let everyone know of it.
    package let isKnowable: Bool
    /// The rooms whose members may join it.
    package let allowedRooms: [RoomID]
    private let joinRule: String
    private let isWorldReadable: Bool
    private let guestsCanJoin: Bool
    private let memberCount: Int64
    private let texts: [(name: String, text: String)]

    private static let textNames = ["name", "topic", "canonical_alias", "avatar_url", "room_type", "encryption", "room_version"]
    private static let textLimit = 8192
    private static let allowLimit = 50

    /// - Returns: nil for what is no summary of a room.
    package init?(_ json: JSON) {
        guard let room = json["room_id"]?.string.flatMap({ RoomID(valid: $0) }), let members = json["num_joined_members"]?.int,
            let worldReadable = json["world_readable"]?.bool, let guestsCanJoin = json["guest_can_join"]?.bool
        else { return nil }
        self.room = room
        isSpace = json["room_type"]?.isString("m.space") == true
        // Where nothing is said, as older servers say nothing, everyone may join.
        joinRule = json["join_rule"]?.string ?? JoinRules.Rule.public.rawValue
        isWorldReadable = worldReadable
        self.guestsCanJoin = guestsCanJoin
        memberCount = max(0, members)
        isKnowable = worldReadable || [.public, .knock, .knockRestricted].contains(JoinRules.Rule(rawValue: joinRule))
        allowedRooms =
            json["allowed_room_ids"].map { rooms in
                Array(rooms.elements.lazy.compactMap { $0.string.flatMap { RoomID(valid: $0) } }.prefix(Self.allowLimit))
            } ?? []
        texts = Self.textNames.compactMap { name in
            guard let text = json[name]?.string, text.utf8.count <= Self.textLimit else { return nil }
            return (name, text)
        }
    }

    /// About how many bytes it holds.
    package var size: Int { 300 + texts.reduce(0) { $0 + $1.text.utf8.count + 48 } + allowedRooms.count * 64 }

    /// Writes the members of a `RoomSummary` of the specification.
    package func write(to writer: inout JSONWriter) {
        writer.member("room_id", room)
        for (name, text) in texts { writer.member(name, text) }
        writer.member("num_joined_members", memberCount)
        writer.member("join_rule", joinRule)
        writer.member("world_readable", isWorldReadable)
        writer.member("guest_can_join", guestsCanJoin)
        if !allowedRooms.isEmpty { writer.member("allowed_room_ids", allowedRooms) }
    }
}

/// A room with its children, and what its server tells of these.
package struct RemoteHierarchy: Sendable {
    package let room: RemoteRoom
    package let children: [SpaceChild]
    package let told: [RoomID: RemoteRoom]
    /// Children that nobody of this server may know of.
    package let inaccessible: Set<RoomID>

    /// The children of one space that are looked at.
    private static let childLimit = 1000

    /// - Returns: nil for what is not about this room.
    package init?(_ answer: JSON, of room: RoomID) {
        guard let object = answer["room"], let summary = RemoteRoom(object), summary.room == room else { return nil }
        self.room = summary
        children =
            summary.isSpace
            ? (object["children_state"]?.elements.prefix(Self.childLimit).compactMap { SpaceChild(stripped: $0) } ?? []).sorted() : []
        let rooms = answer["children"]?.elements.prefix(Self.childLimit).compactMap { RemoteRoom($0) } ?? []
        told = Dictionary(rooms.map { ($0.room, $0) }) { first, _ in first }
        inaccessible = Set(
            answer["inaccessible_children"]?.elements.prefix(Self.childLimit).compactMap { $0.string.flatMap { RoomID(valid: $0) } } ?? [])
    }

    /// About how many bytes it holds.
    var size: Int {
        room.size + told.values.reduce(0) { $0 + $1.size } + children.reduce(0) { $0 + $1.json.count + 200 } + inaccessible.count * 100
    }
}
