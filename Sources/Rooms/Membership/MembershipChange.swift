// What a user asks to be changed about a membership, and the event that makes it. Client-Server API §Room membership.

import MatrixCore
import Persistence

/// How a membership is to change.
package enum MembershipAction: String, Sendable {
    case join, invite, leave, kick, ban, unban, knock

    /// The membership that the event sets.
    package var membership: Membership {
        switch self {
        case .join: .join
        case .invite: .invite
        case .leave, .kick, .unban: .leave
        case .ban: .ban
        case .knock: .knock
        }
    }

    /// Whether the event says how the user is called.
    var carriesProfile: Bool { self == .join || self == .invite || self == .knock }
}

/// A request to change the membership of `target`. It becomes an event against the state that the room has by then.
struct MembershipChange: Sendable {
    let action: MembershipAction
    let target: UserID
    let sender: UserID
    /// What the event says besides the membership: reason, name and picture.
    var content: JSONObject
    /// The sender is a guest of this server.
    var isGuest = false
    /// The user may join a restricted room, by membership in one of the rooms that its join rule names.
    var isAllowedByOtherRoom = false

    /// The event, or what speaks against it beyond the authorization rules, which are checked after this.
    func drafts(in room: RoomSnapshot, isLocal: (UserID) -> Bool) throws(MatrixError) -> [EventDraft] {
        let old = room.membership(of: target)
        if action == .unban, old != .ban {
            throw .badState("Cannot unban user who was not banned (membership=\(old?.rawValue ?? "none"))")
        }
        if old == .ban, action == .join || action == .invite || action == .kick || action == .knock {
            throw .badState("Cannot \(action.rawValue) user who was banned")
        }
        if action == .kick, old == nil || old == .leave {
            throw .forbidden("The target user is not in the room")
        }
        // Guests are this server's idea: no rule of the room knows of them.
        if action == .join, isGuest, room.guestAccess != .canJoin { throw .guestForbidden }
        var content = content
        content["membership"] = .string(action.membership.rawValue)
        if isGuest { content["kind"] = "guest" }
        // Only this server says who authorised a join.
        content["join_authorised_via_users_server"] = nil
        if action == .join, room.joinRule.isRestricted, old != .join, old != .invite {
            content["join_authorised_via_users_server"] = .string(try authoriser(in: room, isLocal: isLocal).string)
        }
        return [EventDraft(type: "m.room.member", stateKey: target.text, content: content, sender: sender)]
    }

    /// Rooms §Restricted rooms: a member of this server who may invite.
    private func authoriser(in room: RoomSnapshot, isLocal: (UserID) -> Bool) throws(MatrixError) -> UserID {
        guard isAllowedByOtherRoom else {
            throw .forbidden("You do not belong to any of the required rooms/spaces to join this room.")
        }
        if let user = room.authoriser(among: isLocal) { return user }
        throw .unableToGrantJoin("No member of this server may invite to the room")
    }
}

extension JoinRules {
    package var isRestricted: Bool { rule == .restricted || rule == .knockRestricted }
}

extension MembershipChange {
    /// Longer names and pictures' addresses are refused, in characters; as Synapse.
    private static let displayNameLimit = 256
    private static let avatarURLLimit = 1000

    /// Checks what a client wants an event to say about a user in one room.
    ///
    /// - Throws: `M_BAD_JSON`.
    static func check(_ content: JSONObject) throws(MatrixError) {
        try check(content["displayname"], "displayname", atMost: displayNameLimit)
        try check(content["avatar_url"], "avatar_url", atMost: avatarURLLimit)
        try check(content["reason"], "reason", atMost: .max)
    }

    private static func check(_ value: JSONValue?, _ name: String, atMost limit: Int) throws(MatrixError) {
        guard let value, !value.isNull else { return }
        guard let text = value.string else { throw .badJSON("\(name) must be a string") }
        guard text.unicodeScalars.count <= limit else { throw .badJSON("\(name) is too long (max \(limit))") }
    }
}
