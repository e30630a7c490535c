// The event by which a user of another server joins, leaves or knocks, for that server to complete and sign.
// Server-Server API §Joining Rooms, §Leaving Rooms, §Knocking upon a room.

import MatrixCore
import Persistence

extension Room {
    /// The event as it would be if it were sent now, without what the other server decides: hashes, signatures, its ID.
    ///
    /// - Parameter authoriser: the user by whose power to invite the other one may join. Rooms §Restricted rooms.
    /// - Throws: `M_FORBIDDEN` where the room's rules refuse the event.
    package func template(
        of membership: Membership, for user: UserID, authorisedBy authoriser: UserID? = nil
    ) async throws -> [UInt8] {
        var content: JSONObject = ["membership": .string(membership.rawValue)]
        content["join_authorised_via_users_server"] = authoriser.map { .string($0.string) }
        let draft = EventDraft(type: StateKey.memberType, stateKey: user.text, content: content, sender: user)
        var template = JSONObject(try await propose(draft).document())
        for name in ["event_id", "hashes", "signatures"] { template[name] = nil }
        return template.canonicalBytes
    }
}

extension RoomSnapshot {
    /// Rooms §Restricted rooms: a joined user who may invite.
    ///
    /// - Parameter isEligible: whether it is a user of this server, which has to sign the join.
    package func authoriser(among isEligible: (UserID) -> Bool) -> UserID? {
        func authorises(_ user: UserID) -> Bool {
            isEligible(user) && membership(of: user) == .join && powerLevels.level(of: user) >= powerLevels.invite
        }
        if let user = creators.first(where: authorises) ?? earliestMembers.first(where: authorises) { return user }
        for (key, entry) in state where entry.membership == .join {
            let user = UserID(trusted: key.stateKey.string)
            if authorises(user) { return user }
        }
        return nil
    }
}
