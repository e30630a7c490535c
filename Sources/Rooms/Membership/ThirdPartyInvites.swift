// Invites of people who are known by an address only. Client-Server API §Third-party invites.

import MatrixCore
import Persistence

/// What an identity server keeps for an address that it does not know: the content of an `m.room.third_party_invite` event.
/// Identity Service API §Invitation storage.
package struct StoredInvite: Sendable, Equatable {
    package struct Key: Sendable, Equatable {
        /// An Ed25519 key in Base64.
        package let publicKey: String
        /// Where one asks whether the key is still good.
        package let validityURL: String?

        package init(publicKey: String, validityURL: String?) {
            self.publicKey = publicKey
            self.validityURL = validityURL
        }
    }

    package let token: String
    /// A name for the invited person that does not give the address away.
    package let displayName: String
    /// The first one is the identity server's own.
    package let keys: [Key]

    package init(token: String, displayName: String, keys: [Key]) {
        self.token = token
        self.displayName = displayName
        self.keys = keys
    }

    /// The event that waits in the room until somebody proves that the address is theirs.
    func draft(by sender: UserID) -> EventDraft {
        var content: JSONObject = ["display_name": .string(displayName)]
        content["public_keys"] = .array(
            keys.map { key in
                var object: JSONObject = ["public_key": .string(key.publicKey)]
                object["key_validity_url"] = key.validityURL.map { .string($0) }
                return .object(object)
            })
        // The form of the first versions beside that of today.
        content["public_key"] = keys.first.map { .string($0.publicKey) }
        content["key_validity_url"] = keys.first?.validityURL.map { .string($0) }
        return EventDraft(type: "m.room.third_party_invite", stateKey: ByteString(token), content: content, sender: sender)
    }

    /// The keys of a waiting event.
    static func keys(in content: JSON) -> [Key] {
        ([content] + (content["public_keys"].map { Array($0.elements) } ?? [])).compactMap { entry in
            entry["public_key"]?.string.map { Key(publicKey: $0, validityURL: entry["key_validity_url"]?.string) }
        }
    }
}

extension RoomMembership {
    /// What an identity server tells the invited person of the room and of who invites. Identity Service API §Invitation storage.
    package func details(ofInvitesTo roomID: RoomID, by inviter: UserID) async throws -> JSONObject {
        let room = try await rooms.existing(roomID).current
        let keys: [(key: StateKey, property: String, name: String)] = [
            (.canonicalAlias, "alias", "room_alias"), (.name, "name", "room_name"), (.avatar, "url", "room_avatar_url"),
            (.joinRules, "join_rule", "room_join_rules"), (.member(inviter), "displayname", "sender_display_name"),
            (.member(inviter), "avatar_url", "sender_avatar_url"),
        ]
        let reader = EventReader(environment: environment)
        var details: JSONObject = ["room_id": .string(roomID.string), "sender": .string(inviter.string)]
        for (key, property, name) in keys {
            guard let entry = room.entry(key), let text = try await reader.event(entry.nid)?.content()?[property]?.string else {
                details[name] = ""
                continue
            }
            details[name] = .string(text)
        }
        if details["sender_display_name"] == "" { details["sender_display_name"] = .string(inviter.string) }
        details["room_type"] = CreateEvent(room.createEvent).roomType.map { .string($0.string) }
        return details
    }

    /// Puts an invite by address into the room, for the user to whom the identity server will one day give its token.
    @discardableResult
    package func store(_ invite: StoredInvite, in roomID: RoomID, by requester: MembershipRequester) async throws -> EventID {
        let room = try await rooms.existing(roomID)
        return try await room.send(invite.draft(by: requester.user), from: EventOrigin(user: requester.user, device: requester.device))
    }

    /// Turns a third-party invite into an invite of the user to whom the address belongs, as the identity server has signed.
    ///
    /// - Parameters:
    ///   - signed: `mxid`, `token` and `signatures`.
    ///   - sender: who made the third-party invite.
    ///   - isValid: asks the identity server whether it still stands by a key.
    /// - Throws: `M_FORBIDDEN` where no such invite waits, nobody has signed, or the key is not good any more; `M_BAD_JSON`.
    package func exchange(
        _ signed: JSON, by sender: UserID, of target: UserID, in roomID: RoomID,
        isValid: @Sendable (StoredInvite.Key) async throws -> Bool
    ) async throws {
        guard let room = try await rooms.room(roomID), isOwn(room) else {
            return try await exchangeElsewhere(signed, by: sender, of: target, in: roomID)
        }
        // Such an invite needs no signature of the sender's server: the invited user's server makes it, if it is in the room.
        guard environment.isLocal(sender) || environment.isLocal(target) else {
            throw MatrixError.forbidden("The invite is a matter of other servers")
        }
        guard let token = signed["token"]?.byteString, signed["mxid"]?.isString(target.string) == true else {
            throw MatrixError.badJSON("A signed third-party invite needs a token and the mxid of the user")
        }
        guard let waiting = room.current.thirdPartyInvite(token: token) else { throw MatrixError.forbidden("Could not find invite") }
        guard let key = RoomMembership.key(of: waiting, thatSigned: signed) else {
            throw MatrixError.forbidden("No key of the third-party invite signed it")
        }
        if key.validityURL != nil, try await !isValid(key) { throw MatrixError.forbidden("Third party certificate was invalid") }

        var invite: JSONObject = ["signed": JSONValue(signed)]
        invite["display_name"] = waiting.content()["display_name"]?.string.map { .string($0) }
        let content: JSONObject = ["membership": "invite", "third_party_invite": .object(invite)]
        let draft = EventDraft(type: "m.room.member", stateKey: target.text, content: content, sender: sender)
        guard environment.isLocal(target) else {
            let membership = room.current.membership(of: target)
            if membership != .join, membership != .invite { try await inviteElsewhere(draft, of: target, to: room) }
            return
        }
        var origin = EventOrigin(user: sender)
        // The room hears of it from here, also where the sender is from elsewhere.
        origin.isRelayed = !environment.isLocal(sender)
        try await room.send(from: origin) { state in
            // Who is in the room already needs no invite.
            state.membership(of: target) == .join || state.membership(of: target) == .invite ? [] : [draft]
        }
    }

    /// The key of a waiting invite by which `signed` is signed. That it is one of the room's rules: Rooms §Authorisation rules, 5.4.1.
    private static func key(of waiting: Event, thatSigned signed: JSON) -> StoredInvite.Key? {
        guard let signatures = signed["signatures"] else { return nil }
        let bytes = JSONSigning.signedBytes(of: signed)
        return StoredInvite.keys(in: waiting.content()).first { candidate in
            guard let key = VerifyKey(base64: candidate.publicKey) else { return false }
            return signatures.members.contains { _, byKeyID in
                byKeyID.members.contains { keyID, signature in
                    keyID.hasPrefix("ed25519:") && signature.string.map { key.verify($0, of: bytes) } == true
                }
            }
        }
    }
}
