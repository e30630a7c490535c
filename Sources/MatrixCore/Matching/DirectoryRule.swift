// The operator's rules about names of rooms and about the room directory: `alias_creation_rules`, `room_list_publication_rules`.

/// One rule: whom and what it is about, as globs without regard to case, and whether it allows.
package struct DirectoryRule: Sendable, Hashable {
    package let isAllowing: Bool
    private let user: Glob
    private let room: Glob
    private let alias: Glob
    private let concernsEveryRoom: Bool
    private let concernsEveryAlias: Bool

    package init(isAllowing: Bool, user: String = "*", room: String = "*", alias: String = "*") {
        self.isAllowing = isAllowing
        self.user = Glob(user)
        self.room = Glob(room)
        self.alias = Glob(alias)
        concernsEveryRoom = room == "*"
        concernsEveryAlias = alias == "*"
    }

    /// Whether the rule is about this user, this room and any of these aliases. A rule about particular aliases is about no room
    /// without one.
    ///
    /// - Parameter room: nil for a room that has no id yet, which only a rule about every room concerns.
    package func concerns(_ user: UserID, room: RoomID?, aliases: [RoomAlias]) -> Bool {
        guard self.user.matches(LowercasedText(user.string)) else { return false }
        guard concernsEveryRoom || room.map({ self.room.matches(LowercasedText($0.string)) }) == true else { return false }
        return concernsEveryAlias || aliases.contains { alias.matches(LowercasedText($0.string)) }
    }
}

extension [DirectoryRule] {
    /// What the first rule says that concerns this; what no rule concerns is not allowed.
    package func allow(_ user: UserID, room: RoomID?, aliases: [RoomAlias]) -> Bool {
        first { $0.concerns(user, room: room, aliases: aliases) }?.isAllowing ?? false
    }
}
