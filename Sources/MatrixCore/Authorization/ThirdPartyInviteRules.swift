// Rule 5.4.1: an invite that answers a third-party invite. Rooms v12 §Authorisation rules, rule 5.4.1 (4.4.1 before version 12).

extension MembershipChange {
    /// - Parameter invite: the event's `content.third_party_invite`.
    func checkThirdPartyInvite(_ invite: JSON) throws(AuthRejection) {
        // 5.4.1.1 If target user is banned, reject.
        guard targetMembership != .ban else {
            throw reject("5.4.1.1", "\(target) is banned from the room")
        }
        // 5.4.1.2 If content.third_party_invite does not have a signed property, reject.
        guard let signed = invite["signed"] else {
            throw reject("5.4.1.2", "the third-party invite is not signed")
        }
        // 5.4.1.3 If signed does not have mxid and token properties, reject.
        guard let mxid = signed["mxid"]?.byteString, let token = signed["token"]?.byteString else {
            throw reject("5.4.1.3", "the signed part of the third-party invite lacks mxid or token")
        }
        // 5.4.1.4 If mxid does not match state_key, reject.
        guard mxid == target.text else {
            throw reject("5.4.1.4", "the third-party invite was signed for \(mxid), not for \(target)")
        }
        // 5.4.1.5 If there is no m.room.third_party_invite event in the current room state with state_key matching token,
        // reject.
        guard let waiting = state.thirdPartyInvite(token: token) else {
            throw reject("5.4.1.5", "the room has no third-party invite of this token")
        }
        // 5.4.1.6 If sender does not match sender of the m.room.third_party_invite, reject.
        guard sender == waiting.sender else {
            throw reject("5.4.1.6", "the third-party invite is by \(waiting.sender), not by \(sender)")
        }
        // 5.4.1.7 If any signature in signed matches any public key in the m.room.third_party_invite event, allow.
        // 5.4.1.8 Otherwise, reject.
        guard isSigned(signed, byAnyOf: publicKeys(of: waiting)) else {
            throw reject("5.4.1.8", "no key of the third-party invite signed it")
        }
    }

    /// The keys in `public_key` and `public_keys`; what is no Ed25519 key signs nothing.
    private func publicKeys(of waiting: Event) -> [VerifyKey] {
        let content = waiting.content()
        var keys: [VerifyKey] = []
        if let text = content["public_key"]?.string, let key = VerifyKey(base64: text) { keys.append(key) }
        if let list = content["public_keys"] {
            for entry in list.elements {
                if let text = entry["public_key"]?.string, let key = VerifyKey(base64: text) { keys.append(key) }
            }
        }
        return keys
    }

    private func isSigned(_ signed: JSON, byAnyOf keys: [VerifyKey]) -> Bool {
        guard let signatures = signed["signatures"] else { return false }
        let bytes = JSONSigning.signedBytes(of: signed)
        return signatures.members.contains { _, byKeyID in
            byKeyID.members.contains { keyID, signature in
                guard keyID.hasPrefix("ed25519:"), let signature = signature.string else { return false }
                return keys.contains { $0.verify(signature, of: bytes) }
            }
        }
    }
}
