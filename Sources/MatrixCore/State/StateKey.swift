// The key of one entry of a room's state: a pair of event type and state key. Client-Server API §Types of room events.

/// Names one entry of the room state. Ordered by type, then by state key, as bytes.
package struct StateKey: Hashable, Sendable, Comparable {
    package let type: ByteString
    package let stateKey: ByteString

    package init(type: ByteString, stateKey: ByteString = "") {
        self.type = type
        self.stateKey = stateKey
    }

    package static func < (a: StateKey, b: StateKey) -> Bool {
        a.type == b.type ? a.stateKey < b.stateKey : a.type < b.type
    }
}

extension StateKey: CustomStringConvertible {
    package var description: String { "(\(type), \(stateKey))" }
}

extension StateKey {
    /// The type of the events that say who is in a room.
    package static let memberType: ByteString = "m.room.member"

    package static let create = StateKey(type: "m.room.create")
    package static let powerLevels = StateKey(type: "m.room.power_levels")
    package static let joinRules = StateKey(type: "m.room.join_rules")
    package static let historyVisibility = StateKey(type: "m.room.history_visibility")
    package static let guestAccess = StateKey(type: "m.room.guest_access")
    package static let name = StateKey(type: "m.room.name")
    package static let topic = StateKey(type: "m.room.topic")
    package static let avatar = StateKey(type: "m.room.avatar")
    package static let canonicalAlias = StateKey(type: "m.room.canonical_alias")
    package static let encryption = StateKey(type: "m.room.encryption")
    package static let tombstone = StateKey(type: "m.room.tombstone")
    package static let serverACL = StateKey(type: "m.room.server_acl")
    package static let policy = StateKey(type: "m.room.policy")
    package static let retention = StateKey(type: "m.room.retention")
    package static let pinnedEvents = StateKey(type: "m.room.pinned_events")

    /// The membership of `user`.
    package static func member(_ user: UserID) -> StateKey {
        StateKey(type: memberType, stateKey: user.text)
    }

    /// The third-party invite that waits under `token`.
    package static func thirdPartyInvite(token: ByteString) -> StateKey {
        StateKey(type: "m.room.third_party_invite", stateKey: token)
    }
}
